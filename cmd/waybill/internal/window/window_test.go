// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package window_test

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/cmd/waybill/internal/window"
	"github.com/waybill-go/waybill/internal/flow"
)

var start = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// span returns span n of a trace, which starts at a time.
func span(tr, n, parent int, service, name string, kind trace.SpanKind, at time.Duration) flow.Span {
	id := func(n int) flow.ID {
		var made flow.ID
		if n > 0 {
			binary.BigEndian.PutUint64(made.Trace[8:], uint64(tr))
			binary.BigEndian.PutUint32(made.Span[:], uint32(tr))
			binary.BigEndian.PutUint32(made.Span[4:], uint32(n))
		}
		return made
	}
	return flow.Span{
		ID: id(n), Parent: id(parent), Remote: parent > 0 && kind == trace.SpanKindConsumer,
		Service: service, Name: name, Kind: kind, Start: start.Add(at), End: start.Add(at + time.Millisecond),
		Attributes: []attribute.KeyValue{attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", "orders")},
	}
}

// order returns the two spans of a message, which is received a second later.
func order(tr int, at time.Duration) (sent, received flow.Span) {
	return span(tr, 1, 0, "api", "send orders", trace.SpanKindProducer, at),
		span(tr, 2, 1, "job", "process orders", trace.SpanKindConsumer, at+time.Second)
}

// broken returns an order whose context is lost.
func broken(tr int, at time.Duration) (sent, received flow.Span) {
	sent, received = order(tr, at)
	received.Parent, received.Remote = flow.ID{}, false
	received.ID.Trace[0] = 1
	return sent, received
}

// watched is a window whose findings are counted.
type watched struct {
	*window.Window

	found map[string]int
}

func watch(quiet time.Duration, maxSpans int) *watched {
	w := &watched{found: make(map[string]int)}
	w.Window = window.New(window.Config{
		Quiet: quiet, MaxSpans: maxSpans,
		Found: func(_ *flow.Graph, f *flow.Finding) { w.found[f.ID] += f.Count },
	})
	return w
}

func (w *watched) check(t *testing.T, when string, want map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, w.found); diff != "" {
		t.Errorf("findings %s (-want +got)\n%s", when, diff)
	}
}

func TestWindow_JudgesQuietFlows(t *testing.T) {
	t.Parallel()
	w := watch(time.Minute, 0)
	sent, received := order(1, 0)
	w.Add([]flow.Span{sent})
	w.Add([]flow.Span{received}) // In time, though its sender looked lost before.
	first, second := broken(2, 2*time.Second)
	w.Add([]flow.Span{first, second})
	w.check(t, "before they are quiet", map[string]int{})
	late, _ := order(3, 2*time.Minute)
	w.Add([]flow.Span{late})
	w.check(t, "when they are quiet", map[string]int{"P01": 1})
	got := w.Close()
	w.check(t, "at the end", map[string]int{"P01": 1, "P21": 1})
	want := window.Totals{
		Spans: 5, Traces: 4, Services: 2,
		Flows: map[flow.Verdict]int{flow.Connected: 2, flow.Broken: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("totals (-want +got)\n%s", diff)
	}
}

func TestWindow_Idle(t *testing.T) {
	t.Parallel()
	w := watch(10*time.Second, 0)
	first, second := broken(1, 0)
	w.Add([]flow.Span{first, second})
	for range 9 {
		w.Idle(time.Second)
	}
	w.check(t, "before it is quiet", map[string]int{})
	for range 9 {
		w.Idle(time.Second)
	}
	w.check(t, "when nothing came", map[string]int{"P01": 1})
}

// A span that comes when its flow was judged is counted, and is no orphan.
func TestWindow_LateSpan(t *testing.T) {
	t.Parallel()
	w := watch(time.Minute, 0)
	sent, received := order(1, 0)
	other, _ := order(2, time.Hour)
	w.Add([]flow.Span{sent, other, received})
	got := w.Close()
	w.check(t, "at the end", map[string]int{"P21": 2})
	if got.Late != 1 || got.Spans != 2 {
		t.Errorf("%d late spans and %d judged, want 1 and 2", got.Late, got.Spans)
	}
}

// A flow that is still active when the stream is interrupted is not judged.
func TestWindow_Interrupted(t *testing.T) {
	t.Parallel()
	w := watch(time.Minute, 0)
	first, second := broken(1, 0)
	w.Add([]flow.Span{first, second})
	got := w.Interrupt()
	w.check(t, "at the end", map[string]int{})
	if got.Open != 1 || got.Judged() != 0 {
		t.Errorf("%d flows are open and %d judged, want 1 and 0", got.Open, got.Judged())
	}
}

// A span whose clock is wrong does not make all others look old.
func TestWindow_WrongClock(t *testing.T) {
	t.Parallel()
	w := watch(time.Minute, 0)
	sent, received := order(1, 0)
	odd, _ := order(2, 200*365*24*time.Hour)
	w.Add([]flow.Span{sent, odd, received})
	if got := w.Close(); got.Late != 0 {
		t.Errorf("%d late spans, want none", got.Late)
	}
}

// Flows that are judged early do not get the findings that spans to come would refute.
func TestWindow_JudgesEarly(t *testing.T) {
	t.Parallel()
	w := watch(time.Hour, 100)
	for n := range 1000 {
		sent, _ := order(n+1, time.Duration(n)*time.Millisecond)
		sent.Parent = sent.ID // It was not recorded yet.
		sent.Parent.Span[0] = 0xff
		w.Add([]flow.Span{sent})
	}
	w.check(t, "while there are too many", map[string]int{})
	got := w.Interrupt()
	w.check(t, "at the end", map[string]int{})
	if got.Early < 900 || got.Early+got.Open != 1000 {
		t.Errorf("%d flows were judged early and %d are open; want at least 900, and 1000 together", got.Early, got.Open)
	}
}

// One flow that has no end is judged in parts.
func TestWindow_EndlessFlow(t *testing.T) {
	t.Parallel()
	w := watch(time.Hour, 100)
	for n := range 10_000 {
		s, _ := order(n+1, time.Duration(n)*time.Millisecond)
		if n > 0 {
			before, _ := order(n, 0)
			s.Links = []flow.ID{before.ID}
		}
		w.Add([]flow.Span{s})
	}
	if got := w.Close(); got.Spans != 10_000 || got.Late != 0 {
		t.Errorf("%d spans were judged and %d late, want all", got.Spans, got.Late)
	}
}

// liveHeap returns how many bytes are live on the heap.
func liveHeap() uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// A long stream takes no more memory than its beginning. The test runs alone, as it
// measures the heap.
func TestWindow_BoundedMemory(t *testing.T) { testMemory(t, 500_000) }

// testMemory passes spans through a window that holds 20,000 of them.
func testMemory(t *testing.T, spans int) {
	t.Helper()
	const held, limit = 20_000, 40 << 20
	w := watch(time.Second, held)
	before, most := liveHeap(), uint64(0)
	for n := range spans / 2 {
		sent, received := order(n+1, time.Duration(n)*100*time.Microsecond)
		sent.Name = fmt.Sprintf("send orders of %d", n) // Nothing of a name may stay.
		w.Add([]flow.Span{sent, received})
		if n%50_000 == 0 {
			most = max(most, liveHeap())
		}
	}
	got := w.Close()
	t.Logf("live heap: %d kB before, at most %d kB", before>>10, most>>10)
	if got.Spans+got.Late != spans || got.Judged() != spans/2 {
		t.Errorf("%d spans of %d flows were judged, want %d of %d", got.Spans, got.Judged(), spans, spans/2)
	}
	if most > before+limit {
		t.Errorf("the live heap grew from %d to %d bytes, want less than %d more", before, most, limit)
	}
}
