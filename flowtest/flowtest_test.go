// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest_test

import (
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowtest"
)

func TestServicesRecordIntoOneFlow(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	if api := f.Service("api"); f.Service("api") != api {
		t.Error("one name, two services")
	}
	if f.Context().Done() != t.Context().Done() {
		t.Error("the context is not the test's")
	}
	order(f, asParent)
	services := make(map[string]int)
	for _, s := range f.Wait(time.Second).Spans() {
		name, _ := s.Resource.Set().Value("service.name")
		services[name.AsString()]++
	}
	if services["api"] != 2 || services["etl-job"] != 3 || len(services) != 2 {
		t.Errorf("spans by service: %v", services)
	}
}

func TestServiceIsATracerProvider(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	for _, provider := range []trace.TracerProvider{f.Service("api"), f.Service("api").TracerProvider()} {
		_, span := provider.Tracer("scope", trace.WithInstrumentationVersion("1.2.3")).Start(f.Context(), "work")
		span.End()
	}
	r := f.Wait(time.Second)
	r.Span("api work").Times(2)
	for _, s := range r.Spans() {
		if got := s.InstrumentationScope; got.Name != "scope" || got.Version != "1.2.3" {
			t.Errorf("scope %+v", got)
		}
	}
}

func TestFlowsAreIndependent(t *testing.T) {
	t.Parallel()
	for n := range 4 {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			f := flowtest.New(t)
			for range n {
				order(f, asParent)
			}
			if got := len(f.Wait(time.Second).Spans()); got != 5*n {
				t.Errorf("%d spans, want %d", got, 5*n)
			}
		})
	}
}

func TestFlowIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	ctx, root := f.Service("root").Tracer("test").Start(f.Context(), "root")
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			for range 50 {
				_, span := f.Service("s"+strconv.Itoa(n%3)).Tracer("test").Start(ctx, "work")
				span.End()
			}
		})
		wg.Go(func() { f.Wait(time.Minute, "work", "work") })
	}
	root.End()
	wg.Wait()
	r := f.Wait(time.Minute)
	r.RequireConnected()
	r.Span("work").Times(1000)
}

func TestWithSampler(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		opts []flowtest.Option
		want int
	}{
		"default":    {nil, 1},
		"nil option": {[]flowtest.Option{nil}, 1},
		"nil":        {[]flowtest.Option{flowtest.WithSampler(nil)}, 1},
		"never":      {[]flowtest.Option{flowtest.WithSampler(sdktrace.NeverSample())}, 0},
		"last wins":  {[]flowtest.Option{flowtest.WithSampler(sdktrace.NeverSample()), flowtest.WithSampler(sdktrace.AlwaysSample())}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := flowtest.New(t, test.opts...)
			_, span := f.Service("api").Tracer("test").Start(f.Context(), "work")
			span.End()
			if got := len(f.Wait(time.Second).Spans()); got != test.want {
				t.Errorf("%d spans, want %d", got, test.want)
			}
		})
	}
}

func TestEnvironmentDoesNotChangeTheFlow(t *testing.T) {
	for key, value := range map[string]string{
		"OTEL_TRACES_SAMPLER":             "always_off",
		"OTEL_SERVICE_NAME":               "other",
		"OTEL_RESOURCE_ATTRIBUTES":        "service.name=other",
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "1",
		"OTEL_SPAN_LINK_COUNT_LIMIT":      "0",
	} {
		t.Setenv(key, value)
	}
	r := recorded(t, asLink)
	r.RequireConnected()
	r.Span("etl-job load").Attr("db.system.name", "mongodb").Attr("etl.rows.written", 0)
}

func TestProvidersAreShutDownWithTheTest(t *testing.T) {
	t.Parallel()
	var f *flowtest.Flow
	passes(t, func(tb testing.TB) {
		f = flowtest.New(tb)
		order(f, asParent)
	})
	_, span := f.Service("api").Tracer("test").Start(t.Context(), "late")
	if span.IsRecording() {
		t.Error("a service records after its test")
	}
}

func TestWaitForSpansOfOtherGoroutines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := flowtest.New(t)
		ctx, root := f.Service("api").Tracer("test").Start(f.Context(), "root")
		go func() {
			time.Sleep(time.Hour)
			root.End()
			for range 2 { // The second load starts when no span is open.
				time.Sleep(time.Hour)
				_, load := f.Service("job").Tracer("test").Start(ctx, "load")
				time.Sleep(time.Hour)
				load.End()
			}
		}()
		start := time.Now()
		if got := len(f.Wait(2 * time.Hour).Spans()); got != 1 || time.Since(start) != time.Hour {
			t.Errorf("%d spans after %v, want the root after an hour", got, time.Since(start))
		}
		if got := len(f.Wait(24*time.Hour, "load", "job load").Spans()); got != 3 || time.Since(start) != 5*time.Hour {
			t.Errorf("%d spans after %v, want all 3 after 5 hours", got, time.Since(start))
		}
	})
}

func TestWaitTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fails(t, "wait", func(tb testing.TB) {
			f := flowtest.New(tb)
			ctx, root := f.Service("api").Tracer("test").Start(f.Context(), "POST /orders")
			time.Sleep(time.Millisecond)
			_, send := f.Service("api").Tracer("test").Start(ctx, "send orders")
			time.Sleep(2 * time.Millisecond)
			send.End()
			defer root.End()
			f.Wait(5*time.Second, "send orders", "etl-job load", "etl-job load")
		})
	})
}

func TestWaitWithoutTimeLooksOnce(t *testing.T) {
	t.Parallel()
	passes(t, func(tb testing.TB) { flowtest.New(tb).Wait(0) })
	passes(t, func(tb testing.TB) {
		f := flowtest.New(tb)
		order(f, asParent)
		f.Wait(-time.Second, "etl-job load")
	})
	if f := run(t, func(tb testing.TB) { flowtest.New(tb).Wait(-time.Second, "load") }); !f.failed {
		t.Error("no load, and the test passed")
	}
}
