// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
)

// What a message costs grows with its headers and not with their square, which
// would take a minute for as many as here.
func TestGrowth(t *testing.T) {
	t.Parallel()
	const (
		many  = 70_000
		limit = 2 * time.Second
	)
	shapes := map[string]func(i int) kafka.Header{
		"others":       func(i int) kafka.Header { return header("app-"+strconv.Itoa(i), "v") },
		"ot-baggage":   func(i int) kafka.Header { return header("ot-baggage-"+strconv.Itoa(i), "v") },
		"traceparents": func(int) kafka.Header { return header("traceparent", traceparentA) },
		"malformed":    func(int) kafka.Header { return header("Traceparent", "junk") },
		"baggage":      func(i int) kafka.Header { return header("baggage", "k"+strconv.Itoa(i)+"=v") },
		"tracestates":  func(i int) kafka.Header { return header("tracestate", "k"+strconv.Itoa(i)+"=v") },
		"forwarded":    func(int) kafka.Header { return header(kafkacarrier.HeaderAttempt, "1") },
		"empty keys":   func(int) kafka.Header { return kafka.Header{} },
	}
	ctx := bareContext(t, traceparentB)
	propagators := map[string]propagation.Option{"W3C": w3c(), "foreign": propagation.WithPropagator(b3{})}
	for name, shape := range shapes {
		var headers []kafka.Header
		for i := range many {
			headers = append(headers, shape(i))
		}
		msg := consumed(1, headers...)
		for format, o := range propagators {
			t.Run(name+" "+format, func(t *testing.T) {
				t.Parallel()
				client := kafkacarrier.WithPropagation(o)
				c := consume(t, inGroup(msg), client, kafkacarrier.WithHeaders("app-1", "ot-baggage-1"))
				r := newRig(t, &broker{}, func(w *kafka.Writer) { w.BatchBytes = 8 << 20 }, client)
				for what, do := range map[string]func(){
					"Inject":    func() { m := msg; kafkacarrier.Inject(ctx, &m, o) },
					"InjectAll": func() { kafkacarrier.InjectAll(ctx, []kafka.Message{msg, msg}, o) },
					"Extract":   func() { kafkacarrier.Extract(t.Context(), msg, o) },
					"Forward":   func() { kafkacarrier.Forward(ctx, msg, "retry", client) },
					"SourceOf":  func() { kafkacarrier.SourceOf(msg) },
					"Carrier": func() {
						m := msg
						kafkacarrier.New(&m).Keys()
						kafkacarrier.New(&m).Values("baggage")
						kafkacarrier.New(&m).Delete("baggage")
					},
					"Fetch":   func() { c.fetchAll(t, 1) },
					"Process": func() { _ = c.Process(t.Context(), msg, func(context.Context) error { return nil }) },
					"Write": func() {
						if err := r.writer.WriteMessages(ctx, kafka.Message{Headers: msg.Headers}); err != nil {
							t.Error(err)
						}
					},
				} {
					started := time.Now()
					if do(); time.Since(started) > limit {
						t.Errorf("%s took %v", what, time.Since(started))
					}
				}
			})
		}
	}
}
