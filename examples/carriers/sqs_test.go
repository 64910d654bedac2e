// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func carrySQS(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	msg := &sqs.SendMessageInput{QueueUrl: aws.String("quakes"), MessageBody: aws.String("42")}
	if !InjectSQS(ctx, msg) {
		t.Error("there is no room")
	}
	client := connectSQS(t)
	if _, err := client.SendMessage(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	received, err := client.ReceiveMessage(t.Context(),
		&sqs.ReceiveMessageInput{QueueUrl: msg.QueueUrl, MessageAttributeNames: []string{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	return ExtractSQS(t.Context(), received.Messages[0])
}

// connectSQS returns a client of a queue for one message.
func connectSQS(t *testing.T) *sqs.Client {
	t.Helper()
	var attributes json.RawMessage
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			MessageAttributes json.RawMessage
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		answer := map[string]any{"MessageId": "1"}
		if r.Header.Get("X-Amz-Target") == "AmazonSQS.SendMessage" {
			attributes = request.MessageAttributes
		} else {
			answer = map[string]any{"Messages": []any{map[string]any{"Body": "42", "MessageAttributes": attributes}}}
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return sqs.New(sqs.Options{
		BaseEndpoint: &server.URL, Region: "local", Credentials: aws.AnonymousCredentials{}, DisableMessageChecksumValidation: true,
	})
}

func TestSQSKeepsAttributes(t *testing.T) {
	t.Parallel()
	own := map[string]types.MessageAttributeValue{"user": {BinaryValue: []byte{0xff}}}
	sqsAttributes{}.Set(own, "tracestate", "old=1")
	msg := &sqs.SendMessageInput{MessageAttributes: own}
	if !InjectSQS(inAnySpan(t), msg) {
		t.Error("there is no room")
	}
	if got := msg.MessageAttributes["user"].BinaryValue; string(got) != "\xff" {
		t.Errorf("the attribute of the user is %x", got)
	}
	if got := *msg.MessageAttributes["tracestate"].StringValue; got != "vendor=7" {
		t.Errorf("the tracestate is %q", got)
	}
	if len(own) != 2 {
		t.Errorf("the map of the caller has changed: %v", own)
	}
}

// An attribute without a text is refused, so none is written.
func TestSQSWritesNoEmptyAttribute(t *testing.T) {
	t.Parallel()
	var msg sqs.SendMessageInput
	InjectSQS(inAnySpan(t), &msg)
	for key, attribute := range msg.MessageAttributes {
		if *attribute.DataType != "String" || *attribute.StringValue == "" {
			t.Errorf("%s is %+v", key, attribute)
		}
	}
}
