// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// franzHeaders reads and writes the headers of a record. It does not write to a
// list of headers that records share. If a key occurs more than once, the last
// header wins.
type franzHeaders struct{}

func (franzHeaders) Get(r *kgo.Record, key string) (value string) {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Key, key) {
			value = string(h.Value)
		}
	}
	return value
}

func (f franzHeaders) Set(r *kgo.Record, key, value string) {
	f.Delete(r, key)
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
}

func (franzHeaders) Delete(r *kgo.Record, key string) {
	r.Headers = slices.DeleteFunc(slices.Clone(r.Headers), func(h kgo.RecordHeader) bool { return strings.EqualFold(h.Key, key) })
}

// InjectFranz writes the context of ctx to r, to be produced with franz-go. A topic
// keeps its records, so they carry no baggage.
func InjectFranz(ctx context.Context, r *kgo.Record) {
	propagation.Inject(ctx, r, franzHeaders{}, propagation.WithoutBaggage())
}

// ProcessFranz calls handle in a span that continues the trace of r.
func ProcessFranz(ctx context.Context, tracer trace.Tracer, r *kgo.Record, handle func(context.Context) error) error {
	remotes := []propagation.Remote{propagation.Read(r, franzHeaders{})}
	ctx, span := propagation.Start(ctx, tracer, "process "+r.Topic, remotes,
		propagation.WithSpanOptions(trace.WithSpanKind(trace.SpanKindConsumer)))
	defer span.End()
	return handle(ctx)
}
