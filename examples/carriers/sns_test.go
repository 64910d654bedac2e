// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func carrySNS(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	return ExtractSNS(t.Context(), notify(t, publishSNS(ctx, t)))
}

func publishSNS(ctx context.Context, t *testing.T) *sns.PublishInput {
	t.Helper()
	var msg sns.PublishInput
	if !InjectSNS(ctx, &msg) {
		t.Error("there is no room")
	}
	return &msg
}

// notify returns the body that an endpoint receives for msg.
func notify(t *testing.T, msg *sns.PublishInput) []byte {
	t.Helper()
	type attribute struct{ Type, Value string }
	attributes := map[string]attribute{}
	for key, value := range msg.MessageAttributes {
		attributes[key] = attribute{*value.DataType, *value.StringValue}
	}
	body, err := json.Marshal(map[string]any{"Type": "Notification", "Message": "42", "MessageAttributes": attributes})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestQueueReceivesARawMessageOfSNS(t *testing.T) {
	t.Parallel()
	ctx := inAnySpan(t)
	received := types.Message{MessageAttributes: map[string]types.MessageAttributeValue{}}
	for key, value := range publishSNS(ctx, t).MessageAttributes {
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
