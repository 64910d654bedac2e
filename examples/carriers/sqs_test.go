// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func carrySQS(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	var msg sqs.SendMessageInput
	if !InjectSQS(ctx, &msg) {
		t.Error("there is no room")
	}
	return ExtractSQS(t.Context(), types.Message{MessageAttributes: msg.MessageAttributes})
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
