// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// maxBaggage is the size of the largest baggage in bytes.
// https://www.w3.org/TR/baggage/#limits
const maxBaggage = 8192

// The keys of the propagator of the suite.
const (
	traceparent = "traceparent"
	tracestate  = "tracestate"
	baggageKey  = "baggage"
)

// usual is the propagator of the suite.
func usual() propagation.Option { return propagation.WithPropagator(propagation.Default()) }

// sample is a context to write. The suite derives all of it from id.
type sample struct {
	id         byte
	flags      trace.TraceFlags
	tracestate string
	baggage    string
}

// full is a sample of everything.
func full(id byte) sample {
	return sample{id: id, flags: trace.FlagsSampled, tracestate: fmt.Sprintf("vendor=%d", id), baggage: fmt.Sprintf("user=%d", id)}
}

// bare is a sample of a trace context alone.
func bare(id byte) sample { return sample{id: id, flags: trace.FlagsSampled} }

func (s sample) spanContext(t testing.TB) trace.SpanContext {
	t.Helper()
	state, err := trace.ParseTraceState(s.tracestate)
	if err != nil {
		t.Fatal(err)
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    trace.TraceID{0: 0x4b, 15: s.id},
		SpanID:     trace.SpanID{0: 0x1f, 7: s.id},
		TraceFlags: s.flags,
		TraceState: state,
	})
}

func (s sample) origin() time.Time {
	return time.Date(2024, 5, 17, 9, 30, int(s.id), 123456000, time.UTC)
}

// context returns a ctx that carries the sample.
func (s sample) context(t testing.TB) context.Context {
	t.Helper()
	ctx := trace.ContextWithSpanContext(t.Context(), s.spanContext(t))
	ctx = propagation.ContextWithWaybill(ctx, propagation.Waybill{Origin: s.origin()})
	if s.baggage == "" {
		return ctx
	}
	b, err := baggage.Parse(s.baggage)
	if err != nil {
		t.Fatal(err)
	}
	return baggage.ContextWithBaggage(ctx, b)
}

// requireRead checks that remote holds the sample and nothing else.
func (s sample) requireRead(t testing.TB, remote propagation.Remote) {
	t.Helper()
	if err := remote.Err(); err != nil {
		t.Errorf("nothing was read: %v", err)
		return
	}
	want := s.spanContext(t)
	got := remote.SpanContext()
	if got.TraceID() != want.TraceID() || got.SpanID() != want.SpanID() || got.TraceFlags() != want.TraceFlags() {
		t.Errorf("read trace %v span %v flags %v, want %v, %v, %v",
			got.TraceID(), got.SpanID(), got.TraceFlags(), want.TraceID(), want.SpanID(), want.TraceFlags())
	}
	if got := got.TraceState().String(); got != s.tracestate {
		t.Errorf("read tracestate %q, want %q", got, s.tracestate)
	}
	wantBaggage, err := baggage.Parse(s.baggage)
	if err != nil {
		t.Fatal(err)
	}
	if got := remote.Baggage(); got.Len() != wantBaggage.Len() {
		t.Errorf("read a baggage of %d members, want %d", got.Len(), wantBaggage.Len())
	}
	for _, m := range wantBaggage.Members() {
		if got := remote.Baggage().Member(m.Key()).Value(); got != m.Value() {
			t.Errorf("read %q of baggage %s, want %q", got, m.Key(), m.Value())
		}
	}
	if got := remote.Waybill().Origin; !got.Equal(s.origin()) {
		t.Errorf("read the origin %v of the waybill, want %v", got, s.origin())
	}
}

// largeBaggage returns a baggage of at most n bytes, as close as its members
// of 128 bytes and its 64 members allow.
func largeBaggage(n int) string {
	var members []string
	size := 0
	for i := range 64 {
		member := fmt.Sprintf("member-%02d=", i)
		member += strings.Repeat("v", 127-len(member))
		size += len(member) + 1
		if size-1 > n {
			break
		}
		members = append(members, member)
	}
	return strings.Join(members, ",")
}
