// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// maxSQSAttributes is the limit of a message.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const maxSQSAttributes = 10

// sqsAttributes reads and writes the attributes of a message.
type sqsAttributes struct{}

func (sqsAttributes) Get(m map[string]types.MessageAttributeValue, key string) string {
	return aws.ToString(m[key].StringValue)
}

func (sqsAttributes) Set(m map[string]types.MessageAttributeValue, key, value string) {
	m[key] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
}

func (sqsAttributes) Delete(m map[string]types.MessageAttributeValue, key string) { delete(m, key) }

// InjectSQS writes the context of ctx to msg, and reports whether the other attributes
// of msg leave room for it.
func InjectSQS(ctx context.Context, msg *sqs.SendMessageInput) bool {
	attributes := map[string]types.MessageAttributeValue{}
	maps.Copy(attributes, msg.MessageAttributes)
	ok := carriers.Within(attributes, maxSQSAttributes, func(m map[string]types.MessageAttributeValue) {
		propagation.Inject(ctx, m, sqsAttributes{})
	})
	msg.MessageAttributes = attributes
	return ok
}

// ExtractSQS returns ctx with the context of msg, which must be received with
// MessageAttributeNames: []string{"All"}.
func ExtractSQS(ctx context.Context, msg types.Message) context.Context {
	return propagation.Extract(ctx, msg.MessageAttributes, sqsAttributes{})
}
