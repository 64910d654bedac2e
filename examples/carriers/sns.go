// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// snsAttributes reads and writes the attributes of a message.
type snsAttributes struct{}

func (snsAttributes) Get(m map[string]types.MessageAttributeValue, key string) string {
	return aws.ToString(m[key].StringValue)
}

func (snsAttributes) Set(m map[string]types.MessageAttributeValue, key, value string) {
	m[key] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
}

func (snsAttributes) Delete(m map[string]types.MessageAttributeValue, key string) { delete(m, key) }

// InjectSNS writes the context of ctx to msg, and reports whether the other attributes
// of msg leave room for it: with raw message delivery, a message with more attributes
// than a queue allows is lost.
func InjectSNS(ctx context.Context, msg *sns.PublishInput) bool {
	attributes := map[string]types.MessageAttributeValue{}
	maps.Copy(attributes, msg.MessageAttributes)
	ok := carriers.Within(attributes, maxSQSAttributes, func(m map[string]types.MessageAttributeValue) {
		propagation.Inject(ctx, m, snsAttributes{})
	})
	msg.MessageAttributes = attributes
	return ok
}
