// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/internal/golden"
	"github.com/waybill-go/waybill/propagation"
)

// Each call leaves an entry with the place where the user made it, and each span that
// handles messages shows how they were read. Both are pinned.
func TestJournalIsPinned(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	good, b3 := consumed(1, header("traceparent", traceparentA)), consumed(2, header("b3", "1-2-1"))
	cut, none := consumed(3, header("traceparent", traceparentA[:54])), consumed(4)
	for _, tt := range []struct {
		name string
		do   func(ctx context.Context, tracers kafkacarrier.ClientOption) error
	}{
		{"inject", func(ctx context.Context, _ kafkacarrier.ClientOption) error {
			kafkacarrier.Inject(ctx, new(kafka.Message), w3c())
			return nil
		}},
		{"write", func(ctx context.Context, tracers kafkacarrier.ClientOption) error {
			w := kafkacarrier.NewWriter(writerTo(&broker{}), withW3C(), tracers)
			defer closeWriter(t, w)
			return w.WriteMessages(ctx, value("1"))
		}},
		{"forward", func(ctx context.Context, _ kafkacarrier.ClientOption) error {
			kafkacarrier.Forward(ctx, good, "retry", withW3C())
			return nil
		}},
		{"fetch, process, commit", func(ctx context.Context, tracers kafkacarrier.ClientOption) error {
			r := kafkacarrier.NewReaderOf(inGroup(good), withW3C(), tracers, kafkacarrier.WithPollSpans())
			msg, err := r.FetchMessage(ctx)
			if err != nil {
				return err
			}
			if err := r.Process(ctx, msg, doNothing); err != nil {
				return err
			}
			return r.CommitMessages(ctx, msg)
		}},
		{"process a message without headers", func(ctx context.Context, tracers kafkacarrier.ClientOption) error {
			return kafkacarrier.NewConsumer(withW3C(), tracers).Process(ctx, none, doNothing)
		}},
		{"process a malformed context", func(ctx context.Context, tracers kafkacarrier.ClientOption) error {
			return kafkacarrier.NewConsumer(withW3C(), tracers).Process(ctx, cut, doNothing)
		}},
		{"process a context in another format", func(ctx context.Context, tracers kafkacarrier.ClientOption) error {
			return kafkacarrier.NewConsumer(withW3C(), tracers).Process(ctx, b3, doNothing)
		}},
		{"process without extraction", func(ctx context.Context, tracers kafkacarrier.ClientOption) error {
			return kafkacarrier.NewConsumer(withW3C(), tracers, kafkacarrier.WithoutExtract()).Process(ctx, good, doNothing)
		}},
		{"process a batch", func(ctx context.Context, tracers kafkacarrier.ClientOption) error {
			return kafkacarrier.NewConsumer(withW3C(), tracers).ProcessBatch(ctx, []kafka.Message{good, none, b3}, doNothing)
		}},
	} {
		recorder := tracetest.NewSpanRecorder()
		tracers := kafkacarrier.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)))
		var j propagation.Journal
		if err := tt.do(propagation.ContextWithJournal(t.Context(), &j), tracers); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		fmt.Fprintf(&b, "%s\n", tt.name)
		for _, e := range j.Entries() {
			fmt.Fprintf(&b, "  %s of %s in %s: %s %s %s\n", e.Call, e.Carrier, path.Base(e.File), e.Action, e.Outcome, e.Detail)
		}
		for _, s := range recorder.Ended() {
			for _, kv := range s.Attributes() {
				if kv.Key == "waybill.extract" {
					fmt.Fprintf(&b, "  span %q has %s=%q\n", s.Name(), kv.Key, kv.Value.String())
				}
			}
		}
	}
	golden.Compare(t, "journal.golden", strings.ReplaceAll(b.String(), " \n", "\n"))
}
