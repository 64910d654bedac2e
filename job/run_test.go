// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/job"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

const (
	traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	otherParent = "00-11112222333344445555666677778888-00f067aa0ba902b8-01"
)

var errBoom = errors.New("boom")

// newJob returns a pipeline and the spans of its runs.
func newJob(t *testing.T) (*stages.Pipeline, *tracetest.InMemoryExporter) {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	p, err := stages.NewPipeline("nightly", stages.WithTracerProvider(provider))
	if err != nil {
		t.Fatal(err)
	}
	return p, spans
}

func attributesOf(t *testing.T, spans *tracetest.InMemoryExporter) map[string]string {
	t.Helper()
	recorded := spans.GetSpans()
	if len(recorded) != 1 {
		t.Fatalf("%d spans, want 1", len(recorded))
	}
	got := make(map[string]string)
	for _, a := range recorded[0].Attributes {
		got[string(a.Key)] = a.Value.String()
	}
	return got
}

func waybill(age time.Duration) string {
	at := time.Now().Add(-age)
	return propagation.Waybill{Origin: at, Sent: at, Hops: 1}.String()
}

func TestRead_Order(t *testing.T) {
	t.Parallel()
	annotations := filepath.Join(t.TempDir(), "annotations")
	content := "app=\"x\"\ntracing.k8s.io/traceparent=\"" + otherParent + "\"\n"
	if err := os.WriteFile(annotations, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	const first, other, absent, malformed = "4bf92f3577b34da6a3ce929d0e0e4736", "11112222333344445555666677778888", "absent", "malformed"
	for name, tt := range map[string]struct {
		environ []string
		args    []string
		file    string
		want    string // A trace id, or how it ended.
	}{
		"nothing":                               {want: absent},
		"environment":                           {environ: []string{"TRACEPARENT=" + traceParent}, args: []string{"--traceparent=" + otherParent}, file: annotations, want: first},
		"environment in lower case":             {environ: []string{"traceparent=" + traceParent}, want: first},
		"lower case beside upper case":          {environ: []string{"traceparent=" + otherParent, "TRACEPARENT=" + traceParent}, want: first},
		"arguments":                             {args: []string{"--traceparent", traceParent}, file: annotations, want: first},
		"annotations":                           {file: annotations, want: other},
		"malformed environment, then arguments": {environ: []string{"TRACEPARENT=00-zz"}, args: []string{"--traceparent=" + otherParent}, want: other},
		"malformed":                             {environ: []string{"TRACEPARENT=00-zz"}, want: malformed},
		"malformed arguments":                   {args: []string{"--traceparent=x"}, want: malformed},
		"a NUL in the value":                    {environ: []string{"TRACEPARENT=" + traceParent + "\x00"}, want: malformed},
		"a value of 1 MiB":                      {environ: []string{"TRACEPARENT=" + traceParent + strings.Repeat("-", 1<<20)}, want: malformed},
		"a value that is not UTF-8":             {environ: []string{"TRACEPARENT=\xff" + traceParent[1:]}, want: malformed},
		"names that are none":                   {environ: []string{"", "=", "TRACEPARENT", "=TRACEPARENT=" + traceParent, "TRACEPARENT =" + traceParent}, want: absent},
		"an empty value":                        {environ: []string{"TRACEPARENT="}, args: []string{"--traceparent=" + traceParent}, want: first},
		"the last of two":                       {environ: []string{"TRACEPARENT=x", "TRACEPARENT=" + traceParent}, want: first},
		"the last of two, malformed":            {environ: []string{"TRACEPARENT=" + traceParent, "TRACEPARENT=x"}, want: malformed},
		"the last of two, empty":                {environ: []string{"TRACEPARENT=" + traceParent, "TRACEPARENT="}, want: absent},
		"malformed lower case beside it":        {environ: []string{"TRACEPARENT=" + traceParent, "traceparent=x"}, want: first},
		"malformed upper case beside it":        {environ: []string{"traceparent=" + traceParent, "TRACEPARENT=x"}, want: malformed},
		"after thousands of variables":          {environ: append(slices.Repeat([]string{"NAME=value"}, 10_000), "TRACEPARENT="+traceParent), want: first},
		"a flag with one dash":                  {args: []string{"-traceparent=" + traceParent}, want: first},
		"a flag without a value":                {args: []string{"--traceparent"}, file: annotations, want: other},
		"a flag before another":                 {args: []string{"--traceparent", "--day"}, want: absent},
		"an empty flag":                         {args: []string{"--traceparent="}, file: annotations, want: other},
		"the last of two flags":                 {args: []string{"--traceparent=x", "--traceparent", traceParent}, want: first},
		"the last of two flags, malformed":      {args: []string{"--traceparent=" + traceParent, "--traceparent=x"}, want: malformed},
		"a flag in another case":                {args: []string{"--TRACEPARENT=" + traceParent}, want: absent},
		"after a --":                            {args: []string{"--", "--traceparent=" + traceParent}, want: absent},
		"arguments that are not flags":          {args: []string{"traceparent=" + traceParent, "---traceparent=" + traceParent, "", "-", "=", "--="}, want: absent},
		"a flag of 1 MiB":                       {args: []string{"--traceparent=" + strings.Repeat("0", 1<<20)}, want: malformed},
		"all of them malformed":                 {environ: []string{"TRACEPARENT=x"}, args: []string{"--traceparent=x"}, file: annotations + "x", want: malformed},
		"a file that is not there":              {file: annotations + "x", want: absent},
		"a directory":                           {file: filepath.Dir(annotations), want: absent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.environ == nil {
				tt.environ = []string{}
			}
			remote := job.Read(job.WithEnviron(tt.environ), job.WithArgs(tt.args), nil, job.WithAnnotations(tt.file, ""))
			got := remote.SpanContext().TraceID().String()
			if malformedError := (*propagation.MalformedError)(nil); errors.As(remote.Err(), &malformedError) {
				got = malformed
			} else if errors.Is(remote.Err(), propagation.ErrAbsent) {
				got = absent
			}
			if got != tt.want {
				t.Errorf("Read = %v, %v; want %s", remote.SpanContext(), remote.Err(), tt.want)
			}
		})
	}
}

func TestRun_ParentOrLink(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		age             time.Duration // 0 for a context without a waybill.
		opts            []job.Option
		isChild, linked bool
	}{
		"without an age":  {isChild: true, linked: true},
		"young":           {age: 19 * time.Minute, isChild: true, linked: true},
		"old":             {age: 21 * time.Minute, linked: true},
		"old, no limit":   {age: 100 * time.Hour, opts: []job.Option{job.WithStartOptions(propagation.WithMaxAge(0))}, isChild: true, linked: true},
		"as link":         {age: time.Second, opts: []job.Option{job.WithStartOptions(propagation.AsLink())}, linked: true},
		"untrusted":       {age: time.Second, opts: []job.Option{job.WithStartOptions(propagation.WithUntrusted())}, linked: true},
		"nowhere to look": {age: time.Second, opts: []job.Option{job.WithEnviron([]string{})}},
		"nil option":      {age: time.Second, opts: []job.Option{nil}, isChild: true, linked: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := []string{"TRACEPARENT=" + traceParent}
			if tt.age > 0 {
				environ = append(environ, "WAYBILL="+waybill(tt.age))
			}
			p, spans := newJob(t)
			opts := append([]job.Option{job.WithEnviron(environ), job.WithArgs(nil)}, tt.opts...)
			if err := job.Run(t.Context(), p, func(context.Context) error { return nil }, opts...); err != nil {
				t.Fatal(err)
			}
			span := spans.GetSpans()[0]
			if got := span.Parent.IsValid(); got != tt.isChild {
				t.Errorf("child: %t, want %t", got, tt.isChild)
			}
			if got := len(span.Links) == 1; got != tt.linked {
				t.Errorf("links %v, want one: %t", span.Links, tt.linked)
			}
		})
	}
}

type codeError int

func (e codeError) Error() string { return "code" }
func (e codeError) ExitCode() int { return int(e) }

func TestRun_Ends(t *testing.T) {
	t.Parallel()
	told, cancel := context.WithCancelCause(t.Context())
	cancel(&job.SignalError{Signal: syscall.SIGTERM})
	late, cancelLate := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancelLate()
	for name, tt := range map[string]struct {
		ctx  context.Context //nolint:containedctx // A row of a table.
		fn   func(context.Context) error
		want map[string]string
	}{
		"success": {
			fn:   func(context.Context) error { return nil },
			want: map[string]string{"etl.outcome": "success", "process.exit.code": "0"},
		},
		"failure": {
			fn:   func(context.Context) error { return errBoom },
			want: map[string]string{"etl.outcome": "failure", "process.exit.code": "1", "error.type": "*errors.errorString"},
		},
		"its own code": {
			fn:   func(context.Context) error { return fmt.Errorf("wrapped: %w", codeError(7)) },
			want: map[string]string{"etl.outcome": "failure", "process.exit.code": "7", "error.type": "github.com/waybill-go/waybill/job_test.codeError"},
		},
		"a code that is none": {
			fn:   func(context.Context) error { return codeError(-1) },
			want: map[string]string{"etl.outcome": "failure", "process.exit.code": "1", "error.type": "github.com/waybill-go/waybill/job_test.codeError"},
		},
		"panic": {
			fn:   func(context.Context) error { panic(errBoom) },
			want: map[string]string{"etl.outcome": "panic", "process.exit.code": "2", "error.type": "panic"},
		},
		"goexit": {
			fn:   func(context.Context) error { runtime.Goexit(); return nil },
			want: map[string]string{"etl.outcome": "cancelled", "process.exit.code": "2", "error.type": "canceled"},
		},
		"told to end": {
			ctx: told, fn: func(ctx context.Context) error { return fmt.Errorf("stop: %w", ctx.Err()) },
			want: map[string]string{"etl.outcome": "cancelled", "process.exit.code": "143", "error.type": "canceled", "waybill.job.signal": "SIGTERM"},
		},
		"told to end, by the cause": {
			ctx: told, fn: context.Cause,
			want: map[string]string{"etl.outcome": "cancelled", "process.exit.code": "143", "error.type": "canceled", "waybill.job.signal": "SIGTERM"},
		},
		"told to end, with codes of its own": {
			ctx: told, fn: func(ctx context.Context) error { return errors.Join(context.Cause(ctx), codeError(42)) },
			want: map[string]string{"etl.outcome": "failure", "process.exit.code": "143", "error.type": "*job.SignalError", "waybill.job.signal": "SIGTERM"},
		},
		"too late": {
			ctx: late, fn: func(ctx context.Context) error { return fmt.Errorf("stop: %w", ctx.Err()) },
			want: map[string]string{"etl.outcome": "timeout", "process.exit.code": "1", "error.type": "timeout"},
		},
		"told to end, and finished": {
			ctx: told, fn: func(context.Context) error { return nil },
			want: map[string]string{"etl.outcome": "success", "process.exit.code": "0", "waybill.job.signal": "SIGTERM"},
		},
		"told to end, and failed": {
			ctx: told, fn: func(context.Context) error { return errBoom },
			want: map[string]string{"etl.outcome": "failure", "process.exit.code": "1", "error.type": "*errors.errorString", "waybill.job.signal": "SIGTERM"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.ctx == nil {
				tt.ctx = t.Context()
			}
			p, spans := newJob(t)
			flushed := false
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				_ = job.Run(tt.ctx, p, tt.fn, job.WithEnviron([]string{}), job.WithArgs(nil), job.WithRunOptions(stages.WithFlush(func(ctx context.Context) error {
					flushed = ctx.Err() == nil && len(spans.GetSpans()) == 1
					return nil
				})))
			}()
			<-done
			tt.want["etl.pipeline"], tt.want["waybill.extract"] = "nightly", "absent"
			if diff := cmp.Diff(tt.want, attributesOf(t, spans)); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			if !flushed {
				t.Error("not flushed after the end, with a live context")
			}
		})
	}
}

// endless is an error that wraps itself.
type endless struct{}

func (*endless) Error() string   { return "endless" }
func (e *endless) Unwrap() error { return e }

func TestExitCode(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		want int
	}{
		"nil":            {nil, 0},
		"any":            {errBoom, 1},
		"panic":          {fmt.Errorf("x: %w", &stages.PanicError{Value: 1}), 2},
		"SIGINT":         {&job.SignalError{Signal: os.Interrupt}, 130},
		"no signal":      {&job.SignalError{}, 1},
		"own":            {errors.Join(errBoom, codeError(64)), 64},
		"first of two":   {errors.Join(codeError(64), &job.SignalError{Signal: os.Interrupt}), 64},
		"signal first":   {fmt.Errorf("%w: %w", &job.SignalError{Signal: os.Interrupt}, codeError(64)), 130},
		"after no code":  {errors.Join(codeError(-1), codeError(64)), 64},
		"wraps itself":   {new(endless), 1},
		"nil pointer":    {(*exec.ExitError)(nil), 1},
		"own 0":          {codeError(0), 1},
		"over a byte":    {codeError(256), 1},
		"of a command":   {exec.CommandContext(t.Context(), "sh", "-c", "exit 9").Run(), 9},
		"killed command": {exec.CommandContext(t.Context(), "sh", "-c", "kill -9 $$").Run(), 1},
	} {
		if got := job.ExitCode(tt.err); got != tt.want {
			t.Errorf("%s: ExitCode(%v) = %d, want %d", name, tt.err, got, tt.want)
		}
	}
}

// Without an SDK, and without a pipeline, what the job sends continues the flow.
func TestRun_WithoutTelemetry(t *testing.T) {
	t.Parallel()
	quiet := stages.Must(stages.NewPipeline("nightly", stages.WithTracerProvider(noop.NewTracerProvider())))
	for name, p := range map[string]*stages.Pipeline{"no SDK": quiet, "nil pipeline": nil, "zero pipeline": {}} {
		err := job.Run(t.Context(), p, func(ctx context.Context) error {
			if got := propagation.Map(ctx)["traceparent"]; !strings.Contains(got, "4bf92f3577b34da6a3ce929d0e0e4736") {
				t.Errorf("%s: it sends the context %q", name, got)
			}
			if propagation.WaybillFromContext(ctx).Origin.IsZero() {
				t.Errorf("%s: the waybill is lost", name)
			}
			return errBoom
		}, job.WithEnviron([]string{"TRACEPARENT=" + traceParent, "WAYBILL=" + waybill(time.Minute)}))
		if err != errBoom {
			t.Errorf("%s: Run = %v, want %v", name, err, errBoom)
		}
	}
	if err := job.Run(t.Context(), quiet, nil); err != stages.ErrNilFunc {
		t.Errorf("Run of no function = %v", err)
	}
}

// hostileSpan panics at whatever it is told.
type hostileSpan struct{ noop.Span }

func (hostileSpan) SetAttributes(...attribute.KeyValue)  { panic("hostile") }
func (hostileSpan) IsRecording() bool                    { return true }
func (hostileSpan) TracerProvider() trace.TracerProvider { panic("hostile") }

type hostileProvider struct{ noop.TracerProvider }

func (hostileProvider) Tracer(string, ...trace.TracerOption) trace.Tracer { return hostileTracer{} }

type hostileTracer struct{ noop.Tracer }

func (hostileTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	return trace.ContextWithSpan(ctx, hostileSpan{}), hostileSpan{}
}

func TestRun_HostileTelemetryChangesNothing(t *testing.T) {
	t.Parallel()
	p := stages.Must(stages.NewPipeline("nightly", stages.WithTracerProvider(hostileProvider{})))
	if err := job.Run(t.Context(), p, func(context.Context) error { return errBoom }); err != errBoom {
		t.Errorf("Run = %v, want %v", err, errBoom)
	}
}

// A malformed context is reported once, in one short line, however many places hold one.
func TestRun_MalformedContextIsReported(t *testing.T) { //nolint:paralleltest // It sets the global error handler.
	var mu sync.Mutex
	var got []string
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, err.Error())
	}))
	t.Cleanup(func() { otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) })
	annotations := filepath.Join(t.TempDir(), "annotations")
	if err := os.WriteFile(annotations, []byte("tracing.k8s.io/traceparent=\"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nonsense := strings.Repeat("\xff\n", 1<<20)
	for _, tt := range []struct {
		name    string
		environ []string
		args    []string
		file    string
		want    int    // Reports.
		place   string // That they name.
	}{
		{name: "no context"},
		{name: "environment", environ: []string{"TRACEPARENT=" + nonsense, "TRACESTATE=" + nonsense, "WAYBILL=" + nonsense, "BAGGAGE=" + nonsense}, want: 1, place: "its environment"},
		{name: "arguments", args: []string{"--traceparent=" + nonsense}, want: 1, place: "its arguments"},
		{name: "annotations", file: annotations, want: 1, place: "the annotations of its pod"},
		{name: "all", environ: []string{"TRACEPARENT=x"}, args: []string{"--traceparent=x"}, file: annotations, want: 1, place: "its environment"},
		{name: "creator", environ: []string{envcarrier.CreatorVariable + "=" + nonsense}},
		{name: "a valid one after it", environ: []string{"TRACEPARENT=x"}, args: []string{"--traceparent=" + traceParent}},
		{name: "a valid one with nonsense", environ: []string{"TRACEPARENT=" + traceParent, "TRACESTATE=" + nonsense, "WAYBILL=" + nonsense, "BAGGAGE=" + nonsense}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got = nil
			p, spans := newJob(t)
			err := job.Run(t.Context(), p, func(context.Context) error { return nil },
				job.WithEnviron(append([]string{}, tt.environ...)), job.WithArgs(tt.args), job.WithAnnotations(tt.file, ""))
			if err != nil || len(got) != tt.want {
				t.Errorf("Run = %v, reported %.300q, want %d", err, got, tt.want)
			}
			for _, line := range got {
				if !strings.HasPrefix(line, "job: the context that the process was started with, in "+tt.place+", is not used: ") || len(line) > 200 || strings.Contains(line, "\n") {
					t.Errorf("reported %.300q, want one short line that names %s", line, tt.place)
				}
			}
			if got := spans.GetSpans()[0].Parent.IsValid(); got != strings.HasPrefix(tt.name, "a valid one") {
				t.Errorf("the run has a parent: %t", got)
			}
		})
	}
}

// The cause of a context that is not ours does not change how a job ends.
func TestRun_HostileCause(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{"wraps itself": new(endless), "nil signal": (*job.SignalError)(nil), "nil pointer": (*exec.ExitError)(nil)} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		p, spans := newJob(t)
		if err := job.Run(ctx, p, func(context.Context) error { return errBoom }); err != errBoom {
			t.Errorf("%s: Run = %v, want %v", name, err, errBoom)
		}
		if got := attributesOf(t, spans)["process.exit.code"]; got != "1" {
			t.Errorf("%s: code %q, want 1", name, got)
		}
	}
}

// The providers that are global, and that of the pipeline, are flushed before the
// functions of the user are called, whatever one of them does.
func TestRun_FlushesProviders(t *testing.T) { //nolint:paralleltest // It sets the global provider.
	var order []string
	otel.SetTracerProvider(&flushed{flush: func() error { order = append(order, "flush"); return nil }})
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	var reported []string
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { reported = append(reported, err.Error()) }))
	t.Cleanup(func() { otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) })
	for _, tt := range []struct {
		name     string
		provider trace.TracerProvider
		reported []string
	}{
		{name: "global"},
		{name: "own", provider: &flushed{flush: func() error { return nil }}},
		{name: "own that fails", provider: &flushed{flush: func() error { return errBoom }}, reported: []string{"stages: flush after run: boom"}},
		{name: "own that panics", provider: &flushed{flush: func() error { panic("hostile") }}, reported: []string{"stages: flush after run: panic: hostile"}},
		{name: "own that calls Goexit", provider: &flushed{flush: func() error { runtime.Goexit(); return nil }}, reported: []string{"stages: flush after run: runtime.Goexit was called"}},
		{name: "own that cannot be compared", provider: uncomparable{}},
		{name: "span without a provider", provider: hostileProvider{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			order, reported = nil, nil
			p := stages.Must(stages.NewPipeline("nightly", stages.WithTracerProvider(tt.provider)))
			err := job.Run(t.Context(), p, func(context.Context) error { return nil }, job.WithEnviron([]string{}), job.WithArgs(nil), job.WithRunOptions(
				stages.WithFlush(func(context.Context) error { order = append(order, "shut down"); return nil })))
			if diff := cmp.Diff([]string{"flush", "shut down"}, order); diff != "" || err != nil {
				t.Errorf("Run = %v; order (-want +got):\n%s", err, diff)
			}
			if diff := cmp.Diff(tt.reported, reported); diff != "" {
				t.Errorf("reported (-want +got):\n%s", diff)
			}
		})
	}
}

// flushed is a provider that can be flushed.
type flushed struct {
	noop.TracerProvider

	flush func() error
}

func (f *flushed) ForceFlush(context.Context) error { return f.flush() }

func (f *flushed) Tracer(string, ...trace.TracerOption) trace.Tracer { return ofProvider{provider: f} }

// uncomparable is a provider that cannot be compared with another.
type uncomparable struct {
	noop.TracerProvider

	_ []int
}

func (u uncomparable) Tracer(string, ...trace.TracerOption) trace.Tracer {
	return ofProvider{provider: u}
}

// ofProvider starts spans that know their provider.
type ofProvider struct {
	noop.Tracer

	provider trace.TracerProvider
}

func (o ofProvider) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	span := providedSpan{provider: o.provider}
	return trace.ContextWithSpan(ctx, span), span
}

type providedSpan struct {
	noop.Span

	provider trace.TracerProvider
}

func (s providedSpan) TracerProvider() trace.TracerProvider { return s.provider }

// A provider that hangs has its part of the time, and no more, beside one that is slow.
func TestRun_ProviderThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := stages.Must(stages.NewPipeline("nightly", stages.WithTracerProvider(&flushed{flush: func() error { <-release; return nil }})))
		var pushed time.Duration
		began := time.Now()
		err := job.Run(t.Context(), p, func(context.Context) error { return errBoom }, job.WithRunOptions(
			stages.WithFlush(func(context.Context) error { pushed = time.Since(began); return nil }), stages.WithFlushTimeout(10*time.Second)))
		if err != errBoom || pushed != 5*time.Second {
			t.Errorf("Run = %v, and metrics were pushed after %v; want %v and 5s", err, pushed, errBoom)
		}
		close(release)
	})
}

// The attempt of the Kubernetes Job is on the span: of the process, or of the environment
// that is given.
func TestRun_Attempt(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
	t.Setenv("WAYBILL_JOB_NAME", "nightly")
	t.Setenv("WAYBILL_JOB_FAILURES", "2")
	for _, tt := range []struct {
		name    string
		environ []string
		want    string
	}{
		{name: "of the process", want: "3"},
		{name: "of another environment", environ: []string{"KUBERNETES_SERVICE_HOST=10.0.0.1", "WAYBILL_JOB_NAME=nightly", "WAYBILL_JOB_FAILURES=0"}, want: "1"},
		{name: "of none", environ: []string{}},
		{name: "that is not known", environ: []string{"KUBERNETES_SERVICE_HOST=10.0.0.1", "WAYBILL_JOB_NAME=nightly"}},
	} {
		p, spans := newJob(t)
		if err := job.Run(t.Context(), p, func(context.Context) error { return nil }, job.WithEnviron(tt.environ)); err != nil {
			t.Fatal(err)
		}
		if got := attributesOf(t, spans)["etl.attempt"]; got != tt.want {
			t.Errorf("attempt %s: etl.attempt = %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A run of a CronJob is a root that links who created the CronJob, in the environment
// that the context is in.
func TestRun_Creator(t *testing.T) {
	t.Setenv(envcarrier.CreatorVariable, otherParent)
	creator := envcarrier.CreatorVariable + "=" + otherParent
	for _, tt := range []struct {
		name    string
		environ []string
		isChild bool
		links   []string // Span IDs.
	}{
		{name: "of the process", links: []string{otherParent[36:52]}},
		{name: "none", environ: []string{}},
		{name: "alone", environ: []string{creator}, links: []string{otherParent[36:52]}},
		{name: "with a context", environ: []string{creator, "TRACEPARENT=" + traceParent}, isChild: true, links: []string{traceParent[36:52], otherParent[36:52]}},
		{name: "malformed", environ: []string{envcarrier.CreatorVariable + "=x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, spans := newJob(t)
			if err := job.Run(t.Context(), p, func(context.Context) error { return nil }, job.WithEnviron(tt.environ), job.WithArgs(nil)); err != nil {
				t.Fatal(err)
			}
			span := spans.GetSpans()[0]
			var links []string
			for _, link := range span.Links {
				links = append(links, link.SpanContext.SpanID().String())
			}
			slices.Sort(links)
			slices.Sort(tt.links)
			if diff := cmp.Diff(tt.links, links); diff != "" || span.Parent.IsValid() != tt.isChild {
				t.Errorf("parent %v, want one: %t; links (-want +got):\n%s", span.Parent, tt.isChild, diff)
			}
		})
	}
}

// All attempts of a Job are started with one context: each has a span of its own, below
// the one that created the Job.
func TestRun_AttemptsAreSiblings(t *testing.T) {
	t.Parallel()
	p, spans := newJob(t)
	const attempts = 3
	for range attempts {
		_ = job.Run(t.Context(), p, func(context.Context) error { return errBoom }, job.WithEnviron([]string{"TRACEPARENT=" + traceParent}), job.WithArgs(nil))
	}
	ids := map[string]bool{traceParent[36:52]: true}
	for _, span := range spans.GetSpans() {
		if got := span.Parent.SpanID().String(); got != traceParent[36:52] || span.SpanContext.TraceID().String() != traceParent[3:35] {
			t.Errorf("trace %v, parent %s; want those of the creator", span.SpanContext.TraceID(), got)
		}
		ids[span.SpanContext.SpanID().String()] = true
	}
	if len(ids) != attempts+1 {
		t.Errorf("%d spans of %d attempts and their creator, want each another", len(ids), attempts)
	}
}

// A creator that is not sampled mutes its jobs, unless they are a trace of their own.
func TestRun_CreatorThatIsNotSampled(t *testing.T) {
	t.Parallel()
	environ := job.WithEnviron([]string{"TRACEPARENT=" + traceParent[:53] + "00"})
	for want, opt := range []job.Option{nil, job.WithStartOptions(propagation.AsLink())} {
		p, spans := newJob(t)
		err := job.Run(t.Context(), p, func(context.Context) error { return nil }, environ, job.WithArgs(nil), opt)
		if got := len(spans.GetSpans()); err != nil || got != want {
			t.Errorf("Run = %v, %d spans, want %d", err, got, want)
		}
	}
}

// Baggage is for whom the job names it, and of a creator that is not trusted nothing is
// used but a link.
func TestRun_Trust(t *testing.T) {
	t.Parallel()
	tenant := job.WithPropagation(propagation.WithBaggage("tenant"))
	for _, tt := range []struct {
		name    string
		opts    []job.Option
		baggage string
		state   string
		hops    int
		isChild bool
	}{
		{name: "default", state: "a=1", hops: 1, isChild: true},
		{name: "baggage that is named", opts: []job.Option{tenant}, baggage: "tenant=blue", state: "a=1", hops: 1, isChild: true},
		{name: "not trusted", opts: []job.Option{tenant, job.WithStartOptions(propagation.WithUntrusted())}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, spans := newJob(t)
			environ := []string{"TRACEPARENT=" + traceParent, "TRACESTATE=a=1", "BAGGAGE=tenant=blue,user=mary", "WAYBILL=" + waybill(time.Minute)}
			opts := append([]job.Option{job.WithEnviron(environ), job.WithArgs(nil)}, tt.opts...)
			err := job.Run(t.Context(), p, func(ctx context.Context) error {
				sc := trace.SpanContextFromContext(ctx)
				if got := baggage.FromContext(ctx).String(); got != tt.baggage || sc.TraceState().String() != tt.state {
					t.Errorf("baggage %q, tracestate %q; want %q, %q", got, sc.TraceState(), tt.baggage, tt.state)
				}
				if got := sc.TraceID().String() == traceParent[3:35]; got != tt.isChild {
					t.Errorf("it is in the trace of its creator: %t, want %t", got, tt.isChild)
				}
				if got := propagation.WaybillFromContext(ctx).Hops; got != tt.hops {
					t.Errorf("hops %d, want %d", got, tt.hops)
				}
				return nil
			}, opts...)
			if links := spans.GetSpans()[0].Links; err != nil || len(links) != 1 || links[0].SpanContext.SpanID().String() != traceParent[36:52] {
				t.Errorf("Run = %v, links %v; want one to the creator", err, links)
			}
		})
	}
}

// hostilePropagator panics at whatever it is given.
type hostilePropagator struct{}

func (hostilePropagator) Inject(context.Context, propagation.TextMapCarrier) { panic("hostile") }
func (hostilePropagator) Extract(context.Context, propagation.TextMapCarrier) context.Context {
	panic("hostile")
}
func (hostilePropagator) Fields() []string { panic("hostile") }

// Whatever the options do, the job runs and ends as its work did.
func TestRun_HostileOptions(t *testing.T) {
	t.Parallel()
	hostile := func(context.Context) error { panic("hostile") }
	for name, opt := range map[string]job.Option{
		"propagator": job.WithPropagation(propagation.WithPropagator(hostilePropagator{}), nil),
		"start":      job.WithStartOptions(nil, propagation.WithLinkAttributes(func(int) []attribute.KeyValue { panic("hostile") })),
		"flush":      job.WithRunOptions(nil, stages.WithFlush(hostile), stages.WithFlush(func(context.Context) error { runtime.Goexit(); return nil })),
		"empty":      job.WithAnnotations("", ""),
	} {
		p, spans := newJob(t)
		done := make(chan struct{})
		go func() {
			defer close(done)
			err := job.Run(t.Context(), p, func(context.Context) error { return errBoom }, job.WithEnviron([]string{"TRACEPARENT=" + traceParent}), opt)
			if err != errBoom {
				t.Errorf("%s: Run = %v, want %v", name, err, errBoom)
			}
		}()
		<-done
		if got := attributesOf(t, spans)["etl.outcome"]; got != "failure" {
			t.Errorf("%s: outcome %q, want failure", name, got)
		}
	}
}

// Run does not wait for what the work has left behind, which goes on as a part of the run.
func TestRun_GoroutinesOfTheWork(t *testing.T) {
	t.Parallel()
	p, spans := newJob(t)
	release, done := make(chan struct{}), make(chan struct{})
	err := job.Run(t.Context(), p, func(ctx context.Context) error {
		go func() {
			defer close(done)
			<-release
			_, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("test").Start(ctx, "left behind")
			span.End()
		}()
		return nil
	})
	close(release)
	<-done
	recorded := spans.GetSpans()
	if err != nil || len(recorded) != 2 || recorded[1].Parent.SpanID() != recorded[0].SpanContext.SpanID() {
		t.Errorf("Run = %v, spans %v; want the second below the first", err, recorded)
	}
}

func TestRun_DoesNotGrowTheUsersOptions(t *testing.T) {
	t.Parallel()
	p, _ := newJob(t)
	opts := make([]propagation.StartOption, 1, 8)
	opts[0] = propagation.WithMaxAge(time.Hour)
	shared := job.WithStartOptions(opts...)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			_ = job.Run(t.Context(), p, func(context.Context) error { return nil }, shared, job.WithStartOptions(opts...))
		})
	}
	group.Wait()
}
