// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/internal/flow"
	"github.com/waybill-go/waybill/propagation"
)

// Flow records the spans of the services of one test in memory.
//
// Flows share nothing, so tests may be parallel. Flow is safe for concurrent use.
type Flow struct {
	t        testing.TB
	config   config
	recorder *recorder
	children *children
	journal  *propagation.Journal
	alone    atomic.Bool // Reports whether no other test runs at the same time.

	mu       sync.Mutex
	services map[string]*Service
}

// New returns an empty Flow. Its services are shut down when the test ends.
func New(t testing.TB, opts ...Option) *Flow {
	t.Helper()
	c := newConfig(opts)
	r := newRecorder(c.maxReceived)
	f := &Flow{t: t, config: c, recorder: r, children: &children{recorder: r}, journal: &propagation.Journal{}, services: make(map[string]*Service)}
	t.Cleanup(f.journal.RecordAll())
	t.Cleanup(f.shutdown)
	return f
}

func (f *Flow) shutdown() {
	ctx := context.WithoutCancel(f.t.Context())
	f.children.close(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.services {
		if err := s.provider.Shutdown(ctx); err != nil {
			f.t.Errorf("flowtest: shut down a service: %v", err)
		}
	}
}

// Service returns the service with the service.name name. Calls with the same name
// return the same service.
func (f *Flow) Service(name string) *Service {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.services[name]
	if !ok {
		s = newService(name, f.config, f.recorder)
		f.services[name] = s
	}
	return s
}

// Context returns the context of the test, which has no span. What is injected and
// extracted with it, or with a context derived from it, is noted in the journal of the
// flow; see [propagation.Journal].
func (f *Flow) Context() context.Context {
	return propagation.ContextWithJournal(f.t.Context(), f.journal)
}

// Wait returns a recording when every started span of this process has ended, and each
// of names was recorded: the name of a span, or its service and name. A name that is
// given twice needs two spans. After timeout, Wait stops the test and lists the spans
// that are missing.
//
// Between the end of a producer span and the start of its consumer span, no span
// is open, and of another process only the spans that have ended are known. If a flow
// continues in another goroutine or process, pass the names of its last spans. Wait also
// waits for a span of each service that was given to [Flow.Env], and for the parents of
// the spans of other processes, which are sent after their children. If only such a
// parent is missing after timeout, Wait logs that and returns.
//
// Wait does not sleep: it checks again whenever a span ends or is received, and works
// inside a [testing/synctest] bubble.
func (f *Flow) Wait(timeout time.Duration, names ...string) *Recording {
	f.t.Helper()
	changed, stop := f.recorder.watch()
	defer stop()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for !f.isComplete(names) || len(f.recorder.orphans()) > 0 {
		select {
		case <-changed:
		case <-timer.C:
			return f.timedOut(timeout, names)
		}
	}
	ended, _ := f.recorder.spans()
	return f.recording(ended)
}

// isComplete reports whether all spans have ended and all names were recorded.
func (f *Flow) isComplete(names []string) bool {
	if !f.recorder.idle() || len(f.children.silent()) > 0 {
		return false
	}
	if len(names) == 0 {
		return true
	}
	ended, open := f.recorder.spans()
	return len(open) == 0 && len(missing(names, ended)) == 0
}

// timedOut stops the test unless nothing but a parent is missing.
func (f *Flow) timedOut(timeout time.Duration, names []string) *Recording {
	f.t.Helper()
	ended, open := f.recorder.spans()
	recording := f.recording(append(ended, open...))
	if reasons := f.awaited(open, missing(names, ended)); len(reasons) > 0 {
		recording.fatalf("Wait: after %v\n  %s", timeout, strings.Join(reasons, "\n  "))
	} else if orphans := f.recorder.orphans(); len(orphans) > 0 {
		f.t.Logf("flowtest: Wait: after %v, the parent of %q was not recorded", timeout, orphans[0])
	}
	return recording
}

// recording returns a recording of spans.
func (f *Flow) recording(spans tracetest.SpanStubs) *Recording {
	f.t.Helper()
	r := FromSpans(f.t, spans...)
	r.started, r.notes, r.entries = f.recorder.calls(), f.children.notes(), f.entries()
	return r
}

// entries returns what was injected and extracted. While no other test runs, all of it
// belongs to the flow.
func (f *Flow) entries() []propagation.JournalEntry {
	entries := f.journal.Entries()
	for i := range entries {
		entries[i].Stray = entries[i].Stray && !f.alone.Load()
	}
	return entries
}

// missing returns the names for which no span is left.
func missing(names []string, spans tracetest.SpanStubs) []string {
	taken := make([]bool, len(spans))
	var missing []string
	for _, name := range names {
		if !take(name, spans, taken) {
			missing = append(missing, name)
		}
	}
	return missing
}

// take marks the first span called name that is not taken, and reports whether
// there is one.
func take(name string, spans tracetest.SpanStubs, taken []bool) bool {
	for i := range spans {
		if !taken[i] && spanOf(&spans[i]).Is(name) {
			taken[i] = true
			return true
		}
	}
	return false
}

// spanOf returns the names of a span.
func spanOf(s *tracetest.SpanStub) *flow.Span {
	return &flow.Span{Service: processOf(s.Resource).Service, Name: s.Name}
}

// awaited describes what Wait waited for.
func (f *Flow) awaited(open tracetest.SpanStubs, missing []string) []string {
	var reasons []string
	for i := range open {
		reasons = append(reasons, fmt.Sprintf("%q has not ended", spanOf(&open[i]).Label()))
	}
	for _, name := range missing {
		reasons = append(reasons, fmt.Sprintf("%q was not recorded", name))
	}
	for _, service := range f.children.silent() {
		reason := fmt.Sprintf("no span of %q was received", service)
		if others := f.recorder.receivedServices(); len(others) > 0 {
			reason += fmt.Sprintf(", but of %q", others)
		}
		reasons = append(reasons, reason)
	}
	return reasons
}
