// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"maps"

	"cloud.google.com/go/pubsub/v2"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// The limits of a message.
// https://cloud.google.com/pubsub/quotas#resource_limits
const (
	maxPubSubAttributes = 100
	maxPubSubValueBytes = 1024
)

// InjectPubSub writes the context of ctx to msg, and reports whether the other
// attributes of msg leave room for it.
func InjectPubSub(ctx context.Context, msg *pubsub.Message) bool {
	attributes := carriers.Map{}
	maps.Copy(attributes, msg.Attributes)
	ok := carriers.Within(attributes, maxPubSubAttributes, func(m carriers.Map) {
		propagation.InjectTextMap(ctx, m, propagation.WithMaxBytes(maxPubSubValueBytes))
	})
	msg.Attributes = attributes
	return ok
}

// ExtractPubSub returns ctx with the context of msg, or else with the context that the
// tracing of the client has written.
func ExtractPubSub(ctx context.Context, msg *pubsub.Message) context.Context {
	ctx = propagation.Extract(ctx, msg.Attributes, propagation.GetterFunc[map[string]string](googclient))
	return propagation.ExtractTextMap(ctx, carriers.Map(msg.Attributes))
}

// googclient reads what the tracing of the client writes.
func googclient(m map[string]string, key string) string { return m["googclient_"+key] }
