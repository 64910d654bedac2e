// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// w3c is a propagator without a waybill, so that results can be compared.
var w3c = propagation.Compose(propagation.TraceContext{}, propagation.Baggage{})

// stale is an environment with the context of another span.
var stale = []string{
	"PATH=/bin",
	"TRACEPARENT=00-11111111111111111111111111111111-1111111111111111-01",
	"TRACESTATE=old=1",
	"BAGGAGE=old=1",
	"TRACEPARENT=00-22222222222222222222222222222222-2222222222222222-01",
	"WAYBILL=00-00063f2a6a3d80-00063f2a6a3d80-0001",
	"HOME=/root",
	"traceparent=kept",
}

func TestInject(t *testing.T) {
	t.Parallel()
	span := spanContext(t)
	for name, test := range map[string]struct {
		ctx     context.Context //nolint:containedctx // a row of a table.
		environ []string
		opts    []envcarrier.Option
		want    []string
	}{
		"a span": {span, []string{"PATH=/bin"}, nil, []string{"PATH=/bin", "TRACEPARENT=" + traceparent}},
		"a span replaces the whole stale context, duplicates too": {
			span, stale,
			[]envcarrier.Option{envcarrier.WithPropagation(propagation.WithPropagator(propagation.Compose(w3c, noWaybill{})))},
			[]string{"PATH=/bin", "HOME=/root", "traceparent=kept", "TRACEPARENT=" + traceparent},
		},
		"no span scrubs": {
			t.Context(), stale,
			[]envcarrier.Option{envcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()))},
			[]string{"PATH=/bin", "HOME=/root", "traceparent=kept"},
		},
		"no span passes through on demand": {t.Context(), stale, []envcarrier.Option{envcarrier.WithPassThrough()}, stale},
		"a span replaces what could pass through": {
			span,
			[]string{"TRACEPARENT=old", "BAGGAGE=old=1"},
			[]envcarrier.Option{envcarrier.WithPassThrough()},
			[]string{"TRACEPARENT=" + traceparent},
		},
		"an existing one is kept on demand": {
			span,
			[]string{"TRACEPARENT=" + strings.Replace(traceparent, "0a", "0b", 1), "TRACESTATE=old=1"},
			[]envcarrier.Option{envcarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting))},
			[]string{"TRACEPARENT=" + strings.Replace(traceparent, "0a", "0b", 1), "TRACESTATE=old=1"},
		},
		"the zero policy is that of every package": {
			t.Context(),
			[]string{"TRACEPARENT=" + traceparent},
			[]envcarrier.Option{envcarrier.WithPropagation(propagation.WithPolicy(0))},
			[]string{"TRACEPARENT=" + traceparent},
		},
		"the last policy wins": {
			t.Context(),
			[]string{"TRACEPARENT=" + traceparent},
			[]envcarrier.Option{envcarrier.WithPassThrough(), envcarrier.WithPropagation(propagation.WithPolicy(propagation.Replace))},
			[]string{},
		},
		"without a span the waybill goes on": {
			propagation.ContextWithWaybill(t.Context(), sentWaybill), stale,
			[]envcarrier.Option{envcarrier.WithPropagation(propagation.WithPropagator(fixedWaybill{}))},
			[]string{"PATH=/bin", "HOME=/root", "traceparent=kept", "WAYBILL=fixed"},
		},
		"without a span an inherited context keeps its own waybill": {
			propagation.ContextWithWaybill(t.Context(), sentWaybill),
			[]string{"TRACEPARENT=" + traceparent, "WAYBILL=old"},
			[]envcarrier.Option{envcarrier.WithPropagation(propagation.WithPropagator(fixedWaybill{})), envcarrier.WithPassThrough()},
			[]string{"TRACEPARENT=" + traceparent, "WAYBILL=old"},
		},
		"the baggage of OpenTracing is replaced": {
			span,
			[]string{"OT_TRACER_TRACEID=1", "OT_BAGGAGE_USER=42", "OT_BAGGAGE_A_B=1", "ot_baggage_lower=kept", "OT_BAGGAGE_=kept"},
			[]envcarrier.Option{envcarrier.WithPropagation(propagation.WithPropagator(openTracing{}))},
			[]string{"ot_baggage_lower=kept", "OT_BAGGAGE_=kept", "OT_TRACER_TRACEID=new", "OT_BAGGAGE_A_B=last"},
		},
		"it is left alone by other propagators": {
			span, []string{"OT_BAGGAGE_USER=42"}, nil, []string{"OT_BAGGAGE_USER=42", "TRACEPARENT=" + traceparent},
		},
		"a value that no process can be started with is left out": {
			span,
			[]string{"OT_TRACER_TRACEID=1"},
			[]envcarrier.Option{envcarrier.WithPropagation(propagation.WithPropagator(openTracing{value: "a\x00b"}))},
			[]string{},
		},
		"tracestate": {
			withTracestate(t, span, "a=1,b=$(x)"), nil, nil,
			[]string{"TRACEPARENT=" + traceparent, "TRACESTATE=a=1,b=$(x)"},
		},
		"no baggage by default": {withBaggage(t, span, "user=42"), nil, nil, []string{"TRACEPARENT=" + traceparent}},
		"baggage key by key": {
			withBaggage(t, span, "user=42,tenant=7"), nil,
			[]envcarrier.Option{envcarrier.WithPropagation(propagation.WithBaggage("tenant"))},
			[]string{"TRACEPARENT=" + traceparent, "BAGGAGE=tenant=7"},
		},
		"the last option about baggage counts": {
			withBaggage(t, span, "user=42"), nil,
			[]envcarrier.Option{envcarrier.WithPropagation(propagation.WithBaggage("user")), envcarrier.WithPropagation(propagation.WithoutBaggage())},
			[]string{"TRACEPARENT=" + traceparent},
		},
		"8 KiB at most, baggage first": {
			withTracestate(t, withBaggage(t, span, "user="+strings.Repeat("v", 8102)), "a=1"), nil,
			[]envcarrier.Option{envcarrier.WithPropagation(propagation.WithBaggage("user"))},
			[]string{"TRACEPARENT=" + traceparent, "TRACESTATE=a=1"},
		},
		"then the tracestate, never cut": {
			withTracestate(t, span, "a="+strings.Repeat("v", 100)), nil,
			[]envcarrier.Option{envcarrier.WithPropagation(propagation.WithMaxBytes(100))},
			[]string{"TRACEPARENT=" + traceparent},
		},
		"no limit on demand": {
			withBaggage(t, span, "user="+strings.Repeat("v", 8180)), nil,
			[]envcarrier.Option{envcarrier.WithPropagation(propagation.WithBaggage("user")), envcarrier.WithPropagation(propagation.WithMaxBytes(0))},
			[]string{"TRACEPARENT=" + traceparent, "BAGGAGE=user=" + strings.Repeat("v", 8180)},
		},
		"nil ctx, nil environ, nil option": {nil, nil, []envcarrier.Option{nil}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := slices.Clone(test.environ)
			opts := append([]envcarrier.Option{envcarrier.WithPropagation(propagation.WithPropagator(w3c))}, test.opts...)
			got := envcarrier.Inject(test.ctx, test.environ, opts...)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
			if !slices.Equal(before, test.environ) {
				t.Error("the list that was given has changed")
			}
			injectAsMap(t, test.ctx, test.environ, opts, test.want)
		})
	}
}

// injectAsMap does with a map what was done with a list.
func injectAsMap(t *testing.T, ctx context.Context, environ []string, opts []envcarrier.Option, want []string) { //nolint:revive // t first, as in all helpers.
	t.Helper()
	var values map[string]string
	if environ != nil {
		values = lastValues(environ)
	}
	before := maps.Clone(values)
	child := envcarrier.InjectMap(ctx, values, opts...)
	if diff := cmp.Diff(lastValues(want), child); diff != "" {
		t.Errorf("environment that is a map (-want +got):\n%s", diff)
	}
	remote, same := envcarrier.ReadMap(child, opts...), envcarrier.ReadFrom(want, opts...)
	if !remote.SpanContext().Equal(same.SpanContext()) || remote.Baggage().String() != same.Baggage().String() {
		t.Errorf("of a map it reads %+v, of a list %+v", remote, same)
	}
	child["written"] = "1"
	if diff := cmp.Diff(before, values); diff != "" {
		t.Errorf("the map that was given has changed:\n%s", diff)
	}
}

// lastValues returns environ as a map, in which the last entry of a name wins.
func lastValues(environ []string) map[string]string {
	values := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
	}
	return values
}

// sentWaybill is the waybill of data that was sent before.
var sentWaybill = propagation.Waybill{Origin: time.UnixMicro(1), Sent: time.UnixMicro(2), Hops: 3}

// fixedWaybill writes trace context and a waybill that does not change.
type fixedWaybill struct{ propagation.TraceContext }

func (p fixedWaybill) Inject(ctx context.Context, c propagation.TextMapCarrier) {
	p.TraceContext.Inject(ctx, c)
	c.Set("waybill", "fixed")
}

func (p fixedWaybill) Fields() []string { return append(p.TraceContext.Fields(), "waybill", "baggage") }

// openTracing writes keys of OpenTracing, two of them under one name.
type openTracing struct{ value string }

func (p openTracing) Inject(_ context.Context, c propagation.TextMapCarrier) {
	if p.value != "" {
		c.Set("ot-tracer-traceid", p.value)
		return
	}
	c.Set("ot-tracer-traceid", "new")
	c.Set("ot-baggage-a.b", "first")
	c.Set("ot-baggage-a-b", "last")
}

func (openTracing) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	return ctx
}
func (openTracing) Fields() []string { return []string{"ot-tracer-traceid"} }

// noWaybill clears a waybill and writes none.
type noWaybill struct{}

func (noWaybill) Inject(context.Context, propagation.TextMapCarrier) {}
func (noWaybill) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	return ctx
}
func (noWaybill) Fields() []string { return []string{"waybill"} }

func TestInject_Waybill(t *testing.T) {
	t.Parallel()
	environ := envcarrier.Inject(spanContext(t), nil, envcarrier.WithPropagation(propagation.WithPropagator(propagation.Default())))
	remote := envcarrier.ReadFrom(environ, envcarrier.WithPropagation(propagation.WithPropagator(propagation.Default())))
	if w := remote.Waybill(); w.Hops != 1 || !w.Origin.Equal(w.Sent) {
		t.Errorf("waybill %+v, want a new one", w)
	}
}

// The result depends on nothing but the arguments and the time, which the waybill has.
func TestInject_Deterministic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := withTracestate(t, withBaggage(t, spanContext(t), "tenant=7,user=42,day=1,region=5"), "a=1,b=2")
		opts := envcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()), propagation.WithBaggage("region", "user", "tenant"))
		first := envcarrier.Inject(ctx, stale, opts)
		firstMap := envcarrier.InjectMap(ctx, lastValues(stale), opts)
		for range 100 {
			if diff := cmp.Diff(first, envcarrier.Inject(ctx, stale, opts)); diff != "" {
				t.Fatalf("another time (-first +then):\n%s", diff)
			}
			if diff := cmp.Diff(first, envcarrier.Inject(ctx, first, opts)); diff != "" {
				t.Fatalf("into its own result (-first +then):\n%s", diff)
			}
			if diff := cmp.Diff(firstMap, envcarrier.InjectMap(ctx, firstMap, opts)); diff != "" {
				t.Fatalf("as a map (-first +then):\n%s", diff)
			}
		}
	})
}

// Children that start at once have one parent list.
func TestInject_ConcurrentSafe(t *testing.T) {
	t.Parallel()
	parent := make([]string, 0, 64)
	parent = append(parent, "PATH=/bin", "TRACEPARENT=old", "HOME=/root")
	want := []string{"PATH=/bin", "HOME=/root", "TRACEPARENT=" + traceparent}
	ctx := spanContext(t)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			child := envcarrier.Inject(ctx, parent, envcarrier.WithPropagation(propagation.WithPropagator(w3c)))
			if diff := cmp.Diff(want, child); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
			for i := range child {
				child[i] = "written"
			}
			_ = append(child, "APPENDED=1")
		})
	}
	wg.Wait()
	if diff := cmp.Diff([]string{"PATH=/bin", "TRACEPARENT=old", "HOME=/root"}, parent); diff != "" {
		t.Errorf("the parent's list (-want +got):\n%s", diff)
	}
	if spare := parent[:4][3]; spare != "" {
		t.Errorf("written behind the parent's list: %q", spare)
	}
	unchanged := []string{"A=1"}
	envcarrier.Inject(t.Context(), unchanged, envcarrier.WithPassThrough())[0] = "written"
	if unchanged[0] != "A=1" {
		t.Error("an environment that is not changed is shared")
	}
}

// Whatever the environment is, all of it but the old context stays as it was
// and in order, and the new context is there once.
func FuzzInject(f *testing.F) {
	f.Add("PATH=/bin\nTRACEPARENT=x\nTRACEPARENT=y\nA=\n=C:=C:\\\nBROKEN")
	f.Add("TRACESTATE\nTRACESTATE=\ntracestate=a\nTRACESTATES=b\nBAGGAGE=c")
	ours := regexp.MustCompile(`(?s)^(TRACEPARENT|TRACESTATE|BAGGAGE)=`)
	if runtime.GOOS == "windows" {
		ours = regexp.MustCompile(`(?is)^(TRACEPARENT|TRACESTATE|BAGGAGE)=`)
	}
	f.Fuzz(func(t *testing.T, text string) {
		environ := strings.Split(text, "\n")
		var want []string
		for _, entry := range environ {
			if !ours.MatchString(entry) {
				want = append(want, entry)
			}
		}
		want = append(want, "TRACEPARENT="+traceparent)
		got := envcarrier.Inject(spanContext(t), environ, envcarrier.WithPropagation(propagation.WithPropagator(w3c)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("environment (-want +got):\n%s", diff)
		}
	})
}

func TestCommand(t *testing.T) {
	t.Setenv("TRACEPARENT", "00-11111111111111111111111111111111-1111111111111111-01")
	t.Setenv("TRACESTATE", "old=1")
	t.Setenv("WAYBILL_TEST_INHERITED", "yes")
	ctx := spanContext(t)
	dir := t.TempDir()

	for name, test := range map[string]struct {
		env  []string
		want map[string]string
	}{
		"nil inherits":    {nil, map[string]string{"WAYBILL_TEST_INHERITED": "yes", "PWD": dir, "TRACEPARENT": traceparent}},
		"empty stays so":  {[]string{}, map[string]string{"TRACEPARENT": traceparent}},
		"a list is added": {[]string{"A=1", "TRACESTATE=x=1"}, map[string]string{"A": "1", "TRACEPARENT": traceparent}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("ignored")
			cmd.Dir, cmd.Env = dir, test.env
			envcarrier.Command(ctx, cmd, envcarrier.WithPropagation(propagation.WithPropagator(w3c)))
			got := environment(t, cmd.Env)
			for key, want := range test.want {
				if got[key] != want {
					t.Errorf("%s=%q, want %q", key, got[key], want)
				}
			}
			if _, ok := got["TRACESTATE"]; ok {
				t.Error("the stale tracestate is there")
			}
			if test.env != nil && len(got) != len(test.want) {
				t.Errorf("environment %v, want only %v", got, test.want)
			}
		})
	}
	envcarrier.Command(ctx, nil)
	if got := os.Getenv("TRACEPARENT"); !strings.HasPrefix(got, "00-1111") {
		t.Errorf("the environment of this process was changed: %q", got)
	}
}

// TestMain runs the tests, or in a child process reports what that was given.
func TestMain(m *testing.M) {
	if out := os.Getenv("WAYBILL_TEST_CHILD"); out != "" {
		remote := envcarrier.Read(envcarrier.WithPropagation(propagation.WithBaggage("old")))
		text := fmt.Sprintf("%s %d baggage, hop %d", remote.SpanContext().TraceState(), remote.Baggage().Len(), remote.Waybill().Hops)
		if os.WriteFile(out, []byte(os.Getenv("TRACEPARENT")+" "+text), 0o600) != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// What a child process really gets.
func TestCommand_ChildProcess(t *testing.T) {
	t.Setenv("TRACEPARENT", "00-11111111111111111111111111111111-1111111111111111-01")
	t.Setenv("BAGGAGE", "old=1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "WAYBILL_TEST_CHILD="+out)
	envcarrier.Command(withTracestate(t, spanContext(t), "a=1"), cmd)
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(text), traceparent+" a=1 0 baggage, hop 1"; got != want {
		t.Errorf("the child read %q, want %q", got, want)
	}
}
