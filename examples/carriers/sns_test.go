// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func carrySNS(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	msg := &sns.PublishInput{TopicArn: aws.String("quakes"), Message: aws.String("42")}
	if !InjectSNS(ctx, msg) {
		t.Error("there is no room")
	}
	return ExtractSNS(t.Context(), publishSNS(t, msg))
}

// publishSNS sends msg and returns the body that an endpoint receives.
func publishSNS(t *testing.T, msg *sns.PublishInput) []byte {
	t.Helper()
	bodies := make(chan []byte, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		attributes := map[string]any{}
		for i := 1; r.FormValue(fmt.Sprintf("MessageAttributes.entry.%d.Name", i)) != ""; i++ {
			entry := fmt.Sprintf("MessageAttributes.entry.%d.", i)
			attributes[r.FormValue(entry+"Name")] = map[string]string{
				"Type": r.FormValue(entry + "Value.DataType"), "Value": r.FormValue(entry + "Value.StringValue"),
			}
		}
		body, err := json.Marshal(map[string]any{
			"Type": "Notification", "Message": r.FormValue("Message"), "MessageAttributes": attributes,
		})
		if err != nil {
			t.Error(err)
		}
		bodies <- body
		_, _ = io.WriteString(w, "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>")
	}))
	t.Cleanup(server.Close)
	client := sns.New(sns.Options{BaseEndpoint: &server.URL, Region: "local", Credentials: aws.AnonymousCredentials{}})
	if _, err := client.Publish(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	return <-bodies
}

func TestQueueReceivesARawMessageOfSNS(t *testing.T) {
	t.Parallel()
	ctx := inAnySpan(t)
	var msg sns.PublishInput
	InjectSNS(ctx, &msg)
	received := types.Message{MessageAttributes: map[string]types.MessageAttributeValue{}}
	for key, value := range msg.MessageAttributes {
		received.MessageAttributes[key] = types.MessageAttributeValue{DataType: value.DataType, StringValue: value.StringValue}
	}
	if traceID(ExtractSQS(t.Context(), received)) != traceID(ctx) {
		t.Error("the trace is not that of the producer")
	}
}

func TestSNSKeepsAttributes(t *testing.T) {
	t.Parallel()
	own := map[string]snstypes.MessageAttributeValue{"user": {BinaryValue: []byte{0xff}}}
	msg := &sns.PublishInput{MessageAttributes: own}
	if !InjectSNS(inAnySpan(t), msg) {
		t.Error("there is no room")
	}
	if got := msg.MessageAttributes["user"].BinaryValue; string(got) != "\xff" {
		t.Errorf("the attribute of the user is %x", got)
	}
	if len(own) != 1 {
		t.Errorf("the map of the caller has changed: %v", own)
	}
}

func TestNoNotificationCarriesNothing(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "42", "{", `{"MessageAttributes": 7}`, `{"MessageAttributes": {"traceparent": null}}`} {
		if got := ExtractSNS(t.Context(), []byte(body)); got != t.Context() {
			t.Errorf("%q gives another context", body)
		}
	}
}
