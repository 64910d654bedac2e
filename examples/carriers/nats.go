// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"maps"

	"github.com/nats-io/nats.go"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// InjectNATS writes the context of ctx to msg, to be published with NATS or
// JetStream.
func InjectNATS(ctx context.Context, msg *nats.Msg) {
	header := nats.Header{}
	maps.Copy(header, msg.Header)
	propagation.InjectTextMap(ctx, carriers.MultiMap(header))
	msg.Header = header
}

// ExtractNATS returns ctx with the context in header, which is msg.Header with NATS
// and msg.Headers() with JetStream.
func ExtractNATS(ctx context.Context, header nats.Header) context.Context {
	return propagation.ExtractTextMap(ctx, carriers.MultiMap(header))
}
