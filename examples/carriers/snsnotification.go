// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"encoding/json"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// notification is the body of a message that SNS sends to a queue or an endpoint.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
type notification struct {
	MessageAttributes map[string]struct{ Value string }
}

// ExtractSNS returns ctx with the context in the body of a notification. With raw
// message delivery there is no such body; use ExtractSQS for the queue.
func ExtractSNS(ctx context.Context, body []byte) context.Context {
	var n notification
	if err := json.Unmarshal(body, &n); err != nil {
		return ctx
	}
	attributes := carriers.Map{}
	for key, attribute := range n.MessageAttributes {
		attributes[key] = attribute.Value
	}
	return propagation.ExtractTextMap(ctx, attributes)
}
