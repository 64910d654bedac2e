// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
)

// request is what tells one time series of requests from another.
type request struct{ name, server, errorType string }

func (r *Recorder) newRequestOptions(q request) []metric.RecordOption {
	attributes := append(make([]attribute.KeyValue, 0, 5), keySystem.String(r.cfg.System),
		keyOperationName.String(safe.Text(q.name, safe.MaxName)))
	attributes = append(attributes, serverAttributes(q.server)...)
	if q.errorType != "" {
		attributes = append(attributes, keyErrorType.String(safe.Text(q.errorType, safe.MaxName)))
	}
	return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attributes...))}
}

// Requested measures a request of a client to a server, of which an operation
// may make several.
func (r *Recorder) Requested(ctx context.Context, name, server string, elapsed time.Duration, err error) {
	in := r.meters()
	if !r.isEnabled(ctx, in.request) {
		return
	}
	q := request{name, server, observe.ErrorType(err)}
	options, ok := in.requests.Get(q)
	if !ok {
		q.server = ""
		if q.errorType != "" {
			q.errorType = observe.ErrorTypeOther
		}
		options = r.newRequestOptions(q)
	}
	r.record(ctx, in.request, elapsed.Seconds(), options)
}
