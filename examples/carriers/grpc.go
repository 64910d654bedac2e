// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"

	"google.golang.org/grpc/metadata"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// InjectGRPC returns ctx with its trace context in the metadata of outgoing calls.
func InjectGRPC(ctx context.Context) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx)
	md = metadata.Join(md) // A map of its own, also when there was none.
	propagation.InjectTextMap(ctx, carriers.FoldedMultiMap(md))
	return metadata.NewOutgoingContext(ctx, md)
}

// ExtractGRPC returns ctx, the context of an incoming call, with the trace context in
// its metadata.
func ExtractGRPC(ctx context.Context) context.Context {
	md, _ := metadata.FromIncomingContext(ctx)
	return propagation.ExtractTextMap(ctx, carriers.FoldedMultiMap(md))
}
