// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"context"

	"go.opentelemetry.io/otel/baggage"
)

// RemoteFromContext returns what a carrier would hold that ctx is written to, for
// data that changes goroutines and not processes: the span context, the baggage
// and the waybill. It writes no carrier, so the waybill counts no hop, and no
// baggage is filtered out.
//
// Values of propagators other than those of [Default] are not included. If ctx is
// nil, the Remote is empty.
func RemoteFromContext(ctx context.Context) Remote {
	ctx = orBackground(ctx)
	return Remote{
		spanContext: spanContext(ctx).WithRemote(true),
		baggage:     baggage.FromContext(ctx),
		waybill:     WaybillFromContext(ctx),
	}
}
