// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package globaltest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"

	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

// tracer is what many programs have in a package variable.
var tracer = otel.Tracer("package")

// handle is code that uses the globals alone.
func handle(ctx context.Context, name string) map[string]string {
	ctx, outer := tracer.Start(ctx, name)
	defer outer.End()
	ctx, inner := otel.Tracer("call").Start(ctx, name+" inner")
	defer inner.End()
	carrier := mapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, carrier)
	return carrier
}

// mapCarrier is a carrier of OpenTelemetry.
type mapCarrier map[string]string

func (c mapCarrier) Get(key string) string { return c[key] }
func (c mapCarrier) Set(key, value string) { c[key] = value }
func (c mapCarrier) Keys() (keys []string) {
	for key := range c {
		keys = append(keys, key)
	}
	return keys
}

// requireUnset fails the test unless the globals record and carry nothing.
func requireUnset(t *testing.T, when string, provider trace.TracerProvider) {
	t.Helper()
	if carrier := handle(t.Context(), when); len(carrier) != 0 {
		t.Errorf("%s the carrier has %v; want nothing", when, carrier)
	}
	if otel.GetTracerProvider() != provider || len(otel.GetTextMapPropagator().Fields()) != 0 {
		t.Errorf("%s the globals are %T and %v; want those of before", when, otel.GetTracerProvider(), otel.GetTextMapPropagator().Fields())
	}
}

func TestFlow_Global(t *testing.T) {
	provider := otel.GetTracerProvider()
	requireUnset(t, "before", provider)
	for _, name := range []string{"first test", "second test"} {
		t.Run(name, func(t *testing.T) {
			f := flowtest.New(t)
			if f.Global("api") != f.Service("api") {
				t.Error("Global returns another service than Service")
			}
			carrier := handle(f.Context(), "send")
			f.Global("job")
			handle(otel.GetTextMapPropagator().Extract(f.Context(), mapCarrier(carrier)), "process")

			fl := f.Wait(5 * time.Second)
			fl.RequireOneTrace()
			fl.RequirePath("api send", "api send inner", "job process", "job process inner")
			if got := len(fl.Spans()); got != 4 {
				t.Errorf("the flow has %d spans, want 4:\n%s", got, fl.Tree())
			}
			if carrier["traceparent"] == "" || carrier["waybill"] == "" {
				t.Errorf("the carrier has %v; want a traceparent and a waybill", carrier)
			}
		})
		requireUnset(t, "after the "+name, provider)
	}
}

// userProvider stands for a provider that the program under test sets.
type userProvider struct{ embedded.TracerProvider }

func (userProvider) Tracer(string, ...trace.TracerOption) trace.Tracer { return nil }

func TestFlow_Global_RestoresWhatTheProgramSets(t *testing.T) {
	provider := otel.GetTracerProvider()
	// The propagator of before is not unset any more once another one was set.
	t.Cleanup(func() { otel.SetTextMapPropagator(propagation.Compose()) })
	otel.SetTextMapPropagator(propagation.TraceContext{})
	t.Run("test", func(t *testing.T) {
		f := flowtest.New(t)
		f.Global("api")
		if carrier := handle(f.Context(), "send"); carrier["traceparent"] == "" || carrier["waybill"] != "" {
			t.Errorf("the carrier has %v; want a traceparent and no waybill, as the propagator was set before", carrier)
		}
		otel.SetTracerProvider(userProvider{})
		otel.SetTextMapPropagator(propagation.Default())
	})
	if otel.GetTextMapPropagator() != (propagation.TraceContext{}) || otel.GetTracerProvider() != provider {
		t.Errorf("after the test the globals are %T and %T; want those of before", otel.GetTracerProvider(), otel.GetTextMapPropagator())
	}
}

func TestFlow_Global_InATestOfATest(t *testing.T) {
	outer := flowtest.New(t)
	outer.Global("outer")
	t.Run("inner", func(t *testing.T) {
		inner := flowtest.New(t)
		inner.Global("inner")
		handle(inner.Context(), "work")
		inner.Wait(time.Second).RequirePath("inner work", "inner work inner")
	})
	handle(outer.Context(), "work")
	fl := outer.Wait(time.Second)
	fl.RequirePath("outer work", "outer work inner")
	if got := len(fl.Spans()); got != 2 {
		t.Errorf("the outer flow has %d spans, want 2:\n%s", got, fl.Tree())
	}
}

func TestFlow_Global_IsSafeForConcurrentUse(t *testing.T) {
	f := flowtest.New(t)
	f.Global("api")
	var all sync.WaitGroup
	for n := range 128 {
		all.Go(func() { handle(f.Context(), fmt.Sprint("send ", n)) })
	}
	all.Wait()
	if got := len(f.Wait(5 * time.Second).Spans()); got != 256 {
		t.Errorf("%d spans were recorded, want 256", got)
	}
}

// misuseKey is set in the process that runs the tests that must fail.
const misuseKey = "FLOWTEST_MISUSE"

func TestFlow_Global_RefusesParallelTests(t *testing.T) {
	t.Parallel()
	const refused = "flowtest: Global: the test, or a parent of it, is parallel, but the global provider belongs to all tests: "
	for name, want := range map[string]string{
		"before":        refused,
		"in the parent": refused,
		"afterwards":    "can not use t.Parallel",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestMisuse$/^"+strings.ReplaceAll(name, " ", "_")+"$")
			cmd.Env = append(os.Environ(), misuseKey+"=1")
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), want) || strings.Contains(string(out), "it went on") {
				t.Errorf("it ends with %v and prints:\n%s", err, out)
			}
		})
	}
}

// TestMisuse fails where it is asked to.
func TestMisuse(t *testing.T) {
	if os.Getenv(misuseKey) == "" {
		return
	}
	t.Run("before", func(t *testing.T) {
		t.Parallel()
		flowtest.New(t).Global("api")
		t.Error("it went on")
	})
	t.Run("in the parent", func(t *testing.T) {
		t.Parallel()
		t.Run("child", func(t *testing.T) {
			flowtest.New(t).Global("api")
			t.Error("it went on")
		})
	})
	t.Run("afterwards", func(t *testing.T) {
		flowtest.New(t).Global("api")
		t.Parallel()
		t.Error("it went on")
	})
}
