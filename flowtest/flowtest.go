// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/internal/flow"
)

// Flow records the spans of the services of one test in memory.
//
// Flows share nothing, so tests may be parallel. Flow is safe for concurrent use.
type Flow struct {
	t        testing.TB
	config   config
	recorder *recorder

	mu       sync.Mutex
	services map[string]*Service
}

// New returns an empty Flow. Its services are shut down when the test ends.
func New(t testing.TB, opts ...Option) *Flow {
	t.Helper()
	f := &Flow{t: t, config: newConfig(opts), recorder: newRecorder(), services: make(map[string]*Service)}
	t.Cleanup(f.shutdown)
	return f
}

func (f *Flow) shutdown() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.services {
		if err := s.provider.Shutdown(context.WithoutCancel(f.t.Context())); err != nil {
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

// Context returns the context of the test, which has no span.
func (f *Flow) Context() context.Context { return f.t.Context() }

// Wait returns a recording when every started span has ended and each of names
// was recorded: the name of a span, or its service and name. A name that is given
// twice needs two spans. After timeout, Wait stops the test and lists the spans
// that are missing.
//
// Between the end of a producer span and the start of its consumer span, no span
// is open. If a flow continues in another goroutine, pass the names of its last
// spans.
//
// Wait does not sleep: it checks again whenever a span ends, and works inside a
// [testing/synctest] bubble.
func (f *Flow) Wait(timeout time.Duration, names ...string) *Recording {
	f.t.Helper()
	changed, stop := f.recorder.watch()
	defer stop()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		ended, open := f.recorder.spans()
		missing := missing(names, ended)
		if len(open) == 0 && len(missing) == 0 {
			return FromSpans(f.t, tracetest.SpanStubsFromReadOnlySpans(ended)...)
		}
		select {
		case <-changed:
		case <-timer.C:
			recording := FromSpans(f.t, tracetest.SpanStubsFromReadOnlySpans(append(ended, open...))...)
			recording.fatalf("%s", timedOut(timeout, open, missing))
			return recording
		}
	}
}

// missing returns the names for which no span is left.
func missing(names []string, spans []sdktrace.ReadOnlySpan) []string {
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
func take(name string, spans []sdktrace.ReadOnlySpan, taken []bool) bool {
	for i, s := range spans {
		span := flow.Span{Service: service(s.Resource()), Name: s.Name()}
		if !taken[i] && span.Is(name) {
			taken[i] = true
			return true
		}
	}
	return false
}

// timedOut describes the spans that Wait waited for.
func timedOut(timeout time.Duration, open []sdktrace.ReadOnlySpan, missing []string) string {
	lines := []string{fmt.Sprintf("Wait: after %v", timeout)}
	for _, s := range open {
		span := flow.Span{Service: service(s.Resource()), Name: s.Name()}
		lines = append(lines, fmt.Sprintf("%q has not ended", span.Label()))
	}
	for _, name := range missing {
		lines = append(lines, fmt.Sprintf("%q was not recorded", name))
	}
	return strings.Join(lines, "\n  ")
}
