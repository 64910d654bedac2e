// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/carriertest"
	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// w3c is a propagator without a waybill, so that results can be compared.
var w3c = propagation.Compose(propagation.TraceContext{}, propagation.Baggage{})

func TestCarrier_Conforms(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func() propagation.TextMapCarrier { return jobcarrier.Carrier{} },
		carriertest.WithNil(func() propagation.TextMapCarrier { return jobcarrier.Carrier(nil) }),
		carriertest.WithEntries(func(c propagation.TextMapCarrier) int { return len(c.(jobcarrier.Carrier)) }),
	)
}

func TestInject(t *testing.T) {
	t.Parallel()
	span := spanContext(t)
	for name, test := range map[string]struct {
		ctx    context.Context //nolint:containedctx // a row of a table.
		params map[string]string
		opts   []jobcarrier.Option
		want   map[string]string
		err    error
	}{
		"a span":              {span, map[string]string{"day": "mon"}, nil, map[string]string{"day": "mon", "traceparent": traceparent}, nil},
		"nil parameters":      {span, nil, nil, map[string]string{"traceparent": traceparent}, nil},
		"no span":             {t.Context(), map[string]string{"day": "mon"}, nil, map[string]string{"day": "mon"}, nil},
		"nothing at all":      {nil, nil, []jobcarrier.Option{nil}, map[string]string{}, nil},
		"an empty default":    {span, map[string]string{"traceparent": ""}, nil, map[string]string{"traceparent": traceparent}, nil},
		"the caller's own":    {span, map[string]string{"traceparent": "mine"}, nil, map[string]string{"traceparent": "mine"}, nil},
		"no half of two":      {span, map[string]string{"tracestate": "mine=1"}, nil, map[string]string{"tracestate": "mine=1"}, nil},
		"kept on demand too":  {span, map[string]string{"traceparent": "mine"}, []jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting))}, map[string]string{"traceparent": "mine"}, nil},
		"an error on demand":  {span, map[string]string{"traceparent": "mine"}, []jobcarrier.Option{jobcarrier.WithErrorOnConflict()}, map[string]string{"traceparent": "mine"}, jobcarrier.ErrConflict},
		"no conflict without": {t.Context(), map[string]string{"traceparent": "mine"}, []jobcarrier.Option{jobcarrier.WithErrorOnConflict()}, map[string]string{"traceparent": "mine"}, nil},
		"replaced on demand": {
			span,
			map[string]string{"traceparent": "old", "tracestate": "old=1", "baggage": "old=1", "day": "mon"},
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPolicy(propagation.Replace)), jobcarrier.WithErrorOnConflict()},
			map[string]string{"day": "mon", "traceparent": traceparent},
			nil,
		},
		"removed on demand, though there is no room for another": {
			span,
			map[string]string{"traceparent": "old", "note": strings.Repeat("v", 9_940)},
			[]jobcarrier.Option{jobcarrier.Databricks(), jobcarrier.WithPropagation(propagation.WithPolicy(propagation.Replace))},
			map[string]string{"note": strings.Repeat("v", 9_940)},
			jobcarrier.ErrTooLarge,
		},
		"too large before there is a context": {
			t.Context(),
			map[string]string{"note": strings.Repeat("v", 9_980)},
			[]jobcarrier.Option{jobcarrier.Databricks()},
			map[string]string{"note": strings.Repeat("v", 9_980)},
			jobcarrier.ErrTooLarge,
		},
		"removed on demand": {
			t.Context(),
			map[string]string{"traceparent": "old", "day": "mon"},
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPolicy(propagation.Replace))},
			map[string]string{"day": "mon"},
			nil,
		},
		"the zero policy is that of every package": {
			span,
			map[string]string{"traceparent": "old", "tracestate": "old=1"},
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPolicy(0))},
			map[string]string{"traceparent": traceparent},
			nil,
		},
		"the zero policy without a span": {
			t.Context(),
			map[string]string{"traceparent": "old", "tracestate": "old=1"},
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPolicy(0))},
			map[string]string{"traceparent": "old", "tracestate": "old=1"},
			nil,
		},
		"the caller's own in another case": {span, map[string]string{"TraceParent": "mine"}, nil, map[string]string{"TraceParent": "mine"}, nil},
		"every spelling is replaced": {
			span,
			map[string]string{"TraceParent": "old", "TRACESTATE": "old=1", "Baggage": "old=1"},
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPolicy(propagation.Replace))},
			map[string]string{"traceparent": traceparent},
			nil,
		},
		"every spelling of a variable is replaced": {
			span,
			map[string]string{"Traceparent": "old", "tracestate": "old=1"},
			[]jobcarrier.Option{jobcarrier.DatabricksEnv(), jobcarrier.WithPropagation(propagation.WithPolicy(propagation.Replace))},
			map[string]string{"TRACEPARENT": traceparent},
			nil,
		},
		"the caller's own baggage in another case": {
			withBaggage(t, span, "user=42"),
			map[string]string{"Baggage": "two bags"},
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithBaggage("user"))},
			map[string]string{"traceparent": traceparent, "Baggage": "two bags"},
			nil,
		},
		"a value that no process can be started with": {
			withBaggage(t, span, "user="+strings.Repeat("v", 8000)), nil,
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPropagator(pair(strings.Repeat("v", 64<<10+1))), propagation.WithMaxBytes(0))},
			map[string]string{},
			nil,
		},
		"baggage without a span": {
			withBaggage(t, t.Context(), "user=42"), nil,
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithBaggage("user"))},
			map[string]string{"baggage": "user=42"},
			nil,
		},
		"no baggage beside the caller's own context": {
			withBaggage(t, t.Context(), "user=42"),
			map[string]string{"traceparent": "mine"},
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithBaggage("user"))},
			map[string]string{"traceparent": "mine"},
			nil,
		},
		"no baggage by default": {withBaggage(t, span, "user=42"), nil, nil, map[string]string{"traceparent": traceparent}, nil},
		"baggage key by key": {
			withBaggage(t, span, "user=42,tenant=7"), nil,
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithBaggage("tenant"))},
			map[string]string{"traceparent": traceparent, "baggage": "tenant=7"},
			nil,
		},
		"the caller's own baggage": {
			withBaggage(t, span, "user=42"),
			map[string]string{"baggage": "two bags"},
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithBaggage("user"))},
			map[string]string{"traceparent": traceparent, "baggage": "two bags"},
			nil,
		},
		"no baggage after all": {
			withBaggage(t, span, "user=42"), nil,
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithBaggage("user")), jobcarrier.WithPropagation(propagation.WithoutBaggage())},
			map[string]string{"traceparent": traceparent},
			nil,
		},
		"at most so many bytes": {
			withTracestate(t, span, "a=1"), nil,
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithMaxBytes(70))},
			map[string]string{"traceparent": traceparent},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := maps.Clone(test.params)
			opts := append([]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPropagator(w3c))}, test.opts...)
			got, err := jobcarrier.Inject(test.ctx, test.params, opts...)
			if !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("parameters (-want +got):\n%s", diff)
			}
			if !maps.Equal(before, test.params) {
				t.Errorf("the map that was given has changed: %v", test.params)
			}
			got["written"] = "1"
			if _, shared := test.params["written"]; shared {
				t.Error("the map that is returned is the one that was given")
			}
		})
	}
}

func TestInject_RoundTrip(t *testing.T) {
	t.Parallel()
	ctx := withTracestate(t, withBaggage(t, spanContext(t), "user=42"), "a=1")
	for name, opts := range map[string][]jobcarrier.Option{
		"none":       nil,
		"Databricks": {jobcarrier.Databricks()},
		"Airflow":    {jobcarrier.Airflow()},
		"Spark":      {jobcarrier.Spark()},
		"Argo":       {jobcarrier.Argo()},
		"Glue":       {jobcarrier.Glue()},
		"Prefect":    {jobcarrier.Prefect()},
		"variables":  {jobcarrier.DatabricksEnv()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts = append(opts, jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default())), jobcarrier.WithPropagation(propagation.WithBaggage("user")))
			params, err := jobcarrier.Inject(ctx, map[string]string{"day": "mon"}, opts...)
			if err != nil {
				t.Fatal(err)
			}
			args := jobcarrier.InjectArgs(ctx, []string{"run"}, opts...)
			for from, remote := range map[string]propagation.Remote{
				"parameters": jobcarrier.Read(params, opts...),
				"arguments":  jobcarrier.ReadArgs(args, opts...),
			} {
				sc := remote.SpanContext()
				if sc.TraceID().String() != traceparent[3:35] || sc.TraceState().String() != "a=1" ||
					remote.Baggage().String() != "user=42" || remote.Waybill().Hops != 1 {
					t.Errorf("%s: read %+v, %s, %+v", from, sc, remote.Baggage(), remote.Waybill())
				}
			}
			if sc := trace.SpanContextFromContext(jobcarrier.Extract(t.Context(), params, opts...)); !sc.IsValid() {
				t.Error("Extract gives nothing")
			}
			if sc := trace.SpanContextFromContext(jobcarrier.ExtractArgs(t.Context(), args, opts...)); !sc.IsValid() {
				t.Error("ExtractArgs gives nothing")
			}
		})
	}
}

func TestExtract_MalformedContext(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"upper case":     strings.ToUpper(traceparent),
		"bytes after it": traceparent + "-",
		"all zeros":      "00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"shorter":        "00-0",
		"binary":         "\x00\xff\xfe",
		"a mebibyte":     strings.Repeat("0", 1<<20),
		"a reference":    "{{job.parameters.traceparent}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opt := jobcarrier.WithPropagation(propagation.WithPropagator(w3c))
			params := map[string]string{"traceparent": value, "tracestate": "a=1"}
			args := []string{"--traceparent=" + value, "--tracestate=a=1"}
			for from, ctx := range map[string]context.Context{
				"parameters": jobcarrier.Extract(t.Context(), params, opt),
				"arguments":  jobcarrier.ExtractArgs(t.Context(), args, opt),
				"a conf":     jobcarrier.ExtractConf(t.Context(), map[string]any{"traceparent": value}, opt),
			} {
				if ctx != t.Context() {
					t.Errorf("%s: ctx is another one", from)
				}
			}
			var malformed *propagation.MalformedError
			if err := jobcarrier.Read(params, opt).Err(); !errors.As(err, &malformed) {
				t.Errorf("error %v", err)
			}
		})
	}
	for from, remote := range map[string]propagation.Remote{
		"parameters": jobcarrier.Read(nil, jobcarrier.WithPropagation(propagation.WithPropagator(w3c))),
		"arguments":  jobcarrier.ReadArgs(nil, jobcarrier.WithPropagation(propagation.WithPropagator(w3c))),
		"a conf":     jobcarrier.ReadConf(nil, jobcarrier.WithPropagation(propagation.WithPropagator(w3c))),
	} {
		if err := remote.Err(); !errors.Is(err, propagation.ErrAbsent) {
			t.Errorf("%s: error %v", from, err)
		}
	}
}

func TestExtract_NilContext(t *testing.T) {
	t.Parallel()
	var none context.Context
	params := map[string]string{"traceparent": traceparent}
	for from, ctx := range map[string]context.Context{
		"parameters": jobcarrier.Extract(none, params, jobcarrier.WithPropagation(propagation.WithPropagator(w3c))),
		"arguments":  jobcarrier.ExtractArgs(none, []string{"--traceparent=" + traceparent}, jobcarrier.WithPropagation(propagation.WithPropagator(w3c))),
		"a conf":     jobcarrier.ExtractConf(none, map[string]any{"traceparent": traceparent}, jobcarrier.WithPropagation(propagation.WithPropagator(w3c))),
	} {
		if !trace.SpanContextFromContext(ctx).IsValid() {
			t.Errorf("%s: nothing was extracted into a nil ctx", from)
		}
	}
}

// The same ctx gives the same bytes again, and so does what was injected before.
func TestInject_Deterministic(t *testing.T) {
	t.Parallel()
	ctx := withTracestate(t, withBaggage(t, spanContext(t), "e=1,d=it's,c=3,b=4,a=5"), "a=1")
	with := []propagation.Option{propagation.WithPropagator(w3c), propagation.WithBaggage("a", "b", "c", "d", "e")}
	own := map[string]string{}
	args := []string{"run"}
	conf := map[string]any{}
	for i := range 100 {
		key := string(rune('a'+i%26)) + strings.Repeat("x", i)
		own[key], conf[key], args = "v", []any{i}, append(args, "--"+key, "v")
	}
	for name, preset := range presets() {
		for _, policy := range []propagation.Policy{propagation.KeepExisting, propagation.Replace} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				opts := []jobcarrier.Option{preset, jobcarrier.WithPropagation(with...), jobcarrier.WithPropagation(propagation.WithPolicy(policy))}
				inject := func(own map[string]string, args []string, conf map[string]any) []any {
					params, err := jobcarrier.Inject(ctx, own, opts...)
					conf, confErr := jobcarrier.InjectConf(ctx, conf, opts...)
					if err = errors.Join(err, confErr); err != nil {
						t.Error(err)
					}
					return []any{params, jobcarrier.InjectArgs(ctx, args, opts...), conf}
				}
				first := inject(own, args, conf)
				want, err := json.Marshal(first)
				if err != nil {
					t.Fatal(err)
				}
				for range 20 {
					again := inject(first[0].(map[string]string), first[1].([]string), first[2].(map[string]any))
					for what, result := range map[string][]any{"a repetition": inject(own, args, conf), "an injection into the result": again} {
						if got, err := json.Marshal(result); string(got) != string(want) {
							t.Fatalf("error %v, %s gives %.500s, want %.500s", err, what, got, want)
						}
					}
				}
			})
		}
	}
}

// presets are all presets, and none.
func presets() map[string]jobcarrier.Option {
	return map[string]jobcarrier.Option{
		"none": nil, "Databricks": jobcarrier.Databricks(), "DatabricksEnv": jobcarrier.DatabricksEnv(), "Argo": jobcarrier.Argo(),
		"Airflow": jobcarrier.Airflow(), "Spark": jobcarrier.Spark(), "Glue": jobcarrier.Glue(), "Prefect": jobcarrier.Prefect(), "Dagster": jobcarrier.Dagster(),
	}
}

// Whatever the caller's own parameters and arguments hold, they stay as they are.
func FuzzInject_OwnParameters(f *testing.F) {
	for _, own := range []string{"", "v", "{{job.id}}", "$(id)", "'\"`\\", "a\nb\x00\x1b", "\xff\xfe", strings.Repeat("v", 1<<20)} {
		f.Add("key", own)
		f.Add(own, "v")
		f.Add("--"+own, own)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		if strings.EqualFold(strings.TrimLeft(key, "-"), "traceparent") || strings.HasPrefix(key, "spark.") {
			return // A context of the caller's own is another test.
		}
		own, conf := map[string]string{key: value}, map[string]any{key: value}
		for name, preset := range presets() {
			opts := []jobcarrier.Option{preset, jobcarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))}
			params, err := jobcarrier.Inject(spanContext(t), own, opts...)
			written, confErr := jobcarrier.InjectConf(spanContext(t), conf, opts...)
			if got, ok := params[key]; !ok || got != value || written[key] != value {
				t.Errorf("%s: the parameter %.50q is %.50q and %.50q in a conf, want %.50q", name, key, got, written[key], value)
			}
			if len(params) == 1 != errors.Is(err, jobcarrier.ErrTooLarge) || confErr != nil {
				t.Errorf("%s: %d parameters, errors %v and %v", name, len(params), err, confErr)
			}
			args := jobcarrier.InjectArgs(spanContext(t), []string{key, value, "--", key, value}, opts...)
			kept := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "--traceparent="+traceparent })
			if !slices.Equal(kept, []string{key, value, "--", key, value}) {
				t.Errorf("%s: the arguments are %.200q", name, args)
			}
		}
	})
}

// One map may be the parameters of many runs that start at once.
func TestInject_ConcurrentSafe(t *testing.T) {
	t.Parallel()
	params, args := map[string]string{"day": "mon"}, append(make([]string, 0, 8), "run", "--", "file")
	opts := []jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPropagator(w3c)), jobcarrier.Databricks()}
	ctx := spanContext(t)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			own, err := jobcarrier.Inject(ctx, params, opts...)
			ownArgs := jobcarrier.InjectArgs(ctx, args, opts...)
			if err != nil || len(own) != 2 || len(ownArgs) != 4 {
				t.Errorf("error %v, parameters %q, arguments %q", err, own, ownArgs)
			}
			clear(own)
			clear(ownArgs)
		})
	}
	wg.Wait()
	if len(params) != 1 || !slices.Equal(args, []string{"run", "--", "file"}) {
		t.Errorf("what was given has changed: %q, %q", params, args)
	}
}

func TestPresets_References(t *testing.T) {
	t.Parallel()
	ctx := withTracestate(t, withBaggage(t, spanContext(t), "user={{job.id}},b=a}b;p={{x}}"), "a={{job.id}}")
	with := []jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPropagator(w3c)), jobcarrier.WithPropagation(propagation.WithBaggage("user", "b"))}
	for name, preset := range map[string]jobcarrier.Option{"Databricks": jobcarrier.Databricks(), "Argo": jobcarrier.Argo()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := slices.Concat(with, []jobcarrier.Option{preset})
			params, err := jobcarrier.Inject(ctx, nil, opts...)
			want := map[string]string{"traceparent": traceparent, "baggage": "b=a%7Db;p=%7B%7Bx%7D%7D,user=%7B%7Bjob.id%7D%7D"}
			if diff := cmp.Diff(want, params); diff != "" || err != nil {
				t.Errorf("error %v, parameters (-want +got):\n%s", err, diff)
			}
			if got := jobcarrier.Read(params, opts...).Baggage().Member("user").Value(); got != "{{job.id}}" {
				t.Errorf("the baggage came as %q", got)
			}
			if args := strings.Join(jobcarrier.InjectArgs(ctx, []string{}, opts...), " "); strings.Contains(args, "{") {
				t.Errorf("arguments %q", args)
			}
		})
	}
	t.Run("Airflow renders no conf", func(t *testing.T) {
		t.Parallel()
		params, err := jobcarrier.Inject(ctx, nil, append(with[:2:2], jobcarrier.Airflow())...)
		if err != nil || params["tracestate"] != "a={{job.id}}" || !strings.Contains(params["baggage"], "user={{job.id}}") {
			t.Errorf("error %v, parameters %q", err, params)
		}
	})
	t.Run("a single brace is none", func(t *testing.T) {
		t.Parallel()
		params, err := jobcarrier.Inject(withTracestate(t, ctx, "a={b}"), nil, append(with[:2:2], jobcarrier.Databricks())...)
		if err != nil || params["tracestate"] != "a={b}" {
			t.Errorf("error %v, parameters %q", err, params)
		}
	})
}

// Whatever a value is, a service finds nothing in it to expand, and what arrives
// is the value or nothing.
func FuzzPresets_References(f *testing.F) {
	for _, seed := range []string{"a={{b}}", "a=b,c={d}", "a=it's;p='", "a={", "'=b", "a=b=c{,{{", "a=%7B{", ",;=\x00{\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for name, test := range map[string]struct {
			preset    jobcarrier.Option
			dangerous string
			keys      func(string) string
		}{
			"Databricks": {jobcarrier.Databricks(), "{{", strings.ToLower},
			"Argo":       {jobcarrier.Argo(), "{{", strings.ToLower},
			"variables":  {jobcarrier.DatabricksEnv(), "'", strings.ToUpper},
		} {
			params, err := jobcarrier.Inject(spanContext(t), nil, jobcarrier.WithPropagation(propagation.WithPropagator(pair(value))), test.preset, jobcarrier.WithPropagation(propagation.WithMaxBytes(0)))
			fits := len(value) < 500 // a character may have six bytes in JSON.
			if err != nil && fits {
				t.Errorf("%s: error %v", name, err)
			}
			state, carried := params[test.keys("tracestate")], params[test.keys("baggage")]
			if strings.Contains(state+" "+carried, test.dangerous) || strings.Contains(state+" "+carried, "{{") {
				t.Errorf("%s: %q became %q and %q", name, value, state, carried)
			}
			if state != "" && state != value {
				t.Errorf("%s: %q arrives as %q", name, value, state)
			}
			if carried != "" {
				checkLossless(t, value, "baggage", carried)
			}
			harmless := isSafe(value)
			if harmless && fits && (state != value || carried != value) {
				t.Errorf("%s: harmless %q arrives as %q and %q", name, value, state, carried)
			}
		}
	})
}

// pair is a propagator of one value under two keys.
type pair string

func (p pair) Inject(_ context.Context, c propagation.TextMapCarrier) {
	c.Set("tracestate", string(p))
	c.Set("baggage", string(p))
}

func (pair) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	return ctx
}
func (pair) Fields() []string { return []string{"tracestate", "baggage"} }

func TestDatabricksEnv(t *testing.T) {
	t.Parallel()
	ctx := withTracestate(t, withBaggage(t, spanContext(t), "user=o'neill,it's=1"), "a=1")
	for allowed, want := range map[string]map[string]string{
		"user": {"TRACEPARENT": traceparent, "TRACESTATE": "a=1", "BAGGAGE": "user=o%27neill"},
		"it's": {"TRACEPARENT": traceparent, "TRACESTATE": "a=1"}, // a name can not be encoded.
	} {
		environ, err := jobcarrier.Inject(ctx, nil, jobcarrier.WithPropagation(propagation.WithPropagator(w3c)), jobcarrier.DatabricksEnv(), jobcarrier.WithPropagation(propagation.WithBaggage(allowed)))
		if diff := cmp.Diff(want, environ); diff != "" || err != nil {
			t.Errorf("error %v, variables (-want +got):\n%s", err, diff)
		}
		got := envcarrier.ReadMap(environ, envcarrier.WithPropagation(propagation.WithPropagator(w3c)), envcarrier.WithPropagation(propagation.WithBaggage("user")))
		if got.SpanContext().TraceID().String() != traceparent[3:35] || allowed == "user" && got.Baggage().Member("user").Value() != "o'neill" {
			t.Errorf("the process reads %+v, %s", got.SpanContext(), got.Baggage())
		}
	}
	environ, err := jobcarrier.Inject(withTracestate(t, ctx, "a='1'"), nil, jobcarrier.WithPropagation(propagation.WithPropagator(w3c)), jobcarrier.DatabricksEnv())
	if _, ok := environ["TRACESTATE"]; ok || err != nil || len(environ) != 1 {
		t.Errorf("error %v, variables %q", err, environ)
	}
}

// Only values of baggage can be encoded, its names have to stay.
func TestPresets_EncodedBaggage(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"a=b'c":         "a=b%27c",
		"a=b=c'":        "a=b=c%27",
		"a=b;p='":       "a=b;p=%27",
		"a='{,b='}":     "a=%27%7B,b=%27%7D",
		"a=b,it's=c":    "",
		"a=b;it's":      "",
		"it's=a":        "",
		"a=b;p=q,r;s='": "a=b;p=q,r;s=%27",
	} {
		params, err := jobcarrier.Inject(spanContext(t), nil, jobcarrier.WithPropagation(propagation.WithPropagator(pair(value))), jobcarrier.DatabricksEnv())
		if params["BAGGAGE"] != want || err != nil {
			t.Errorf("%q became %q, want %q, error %v", value, params["BAGGAGE"], want, err)
		}
	}
}

// Variables have the names that envcarrier gives them.
func FuzzPresets_Variables(f *testing.F) {
	for _, seed := range []string{"", "traceparent", "x-b3-traceid", "0abc", "🧳", "Mój", "\xff", "A=B"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		params, err := jobcarrier.Inject(spanContext(t), nil, jobcarrier.WithPropagation(propagation.WithPropagator(keyed(key))), jobcarrier.DatabricksEnv())
		if want := envcarrier.Normalize(key); params[want] != "v" || len(params) != 1 || err != nil {
			t.Errorf("error %v, %q goes under %q, want %q", err, key, params, want)
		}
		params, err = jobcarrier.Inject(spanContext(t), nil, jobcarrier.WithPropagation(propagation.WithPropagator(keyed(key))), jobcarrier.Spark())
		if want := "spark.executorEnv." + envcarrier.Normalize(key); params[want] != "v" || len(params) != 4 || err != nil {
			t.Errorf("error %v, %q goes under %q, want %q", err, key, params, want)
		}
	})
}

// keyed is a propagator of one key.
type keyed string

func (k keyed) Inject(_ context.Context, c propagation.TextMapCarrier) { c.Set(string(k), "v") }
func (keyed) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	return ctx
}
func (k keyed) Fields() []string { return []string{string(k)} }

func TestDatabricks_Size(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	span := withTracestate(t, withBaggage(t, spanContext(t), "user=42"), "a=1")
	opts := []jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default())), jobcarrier.WithPropagation(propagation.WithBaggage("user")), jobcarrier.Databricks()}
	size := func(params map[string]string) int {
		text, err := json.Marshal(map[string]any{"python_named_params": params})
		if err != nil {
			t.Fatal(err)
		}
		return len(text)
	}
	all, err := jobcarrier.Inject(span, nil, opts...)
	if err != nil || len(all) != 4 {
		t.Fatalf("error %v, parameters %q", err, all)
	}
	for name, test := range map[string]struct {
		room int // for the context, of what it takes as a whole.
		want []string
		err  error
	}{
		"all":             {size(all) - size(nil), []string{"traceparent", "tracestate", "waybill", "baggage"}, nil},
		"no baggage":      {size(all) - size(nil) - 1, []string{"traceparent", "tracestate", "waybill"}, nil},
		"no tracestate":   {size(map[string]string{"traceparent": all["traceparent"], "waybill": all["waybill"]}) - size(nil), []string{"traceparent", "waybill"}, nil},
		"no waybill":      {size(map[string]string{"traceparent": all["traceparent"]}) - size(nil), []string{"traceparent"}, nil},
		"nothing":         {10, nil, jobcarrier.ErrTooLarge},
		"not even before": {-100, nil, jobcarrier.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := map[string]string{"p": ""}
			own["p"] = strings.Repeat("v", limit-size(own)-test.room)
			// The comma between the caller's own and the context's parameters.
			if test.room > 0 {
				own["p"] = own["p"][:len(own["p"])-3]
			}
			params, err := jobcarrier.Inject(span, own, opts...)
			if !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if test.err == nil && size(params) > limit {
				t.Errorf("%d bytes", size(params))
			}
			if len(params) != len(test.want)+1 || params["p"] != own["p"] {
				t.Errorf("%d parameters, want the caller's own and %q", len(params), test.want)
			}
			for _, key := range test.want {
				if params[key] == "" {
					t.Errorf("no %s", key)
				}
			}
		})
	}
}

func TestPresets_Keys(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		preset jobcarrier.Option
		want   map[string]string
	}{
		"Databricks": {jobcarrier.Databricks(), map[string]string{"x-b3.a_1": "v"}},
		"Argo":       {jobcarrier.Argo(), map[string]string{}},
		"Glue":       {jobcarrier.Glue(), map[string]string{"--x-b3.a_1": "v", "--x b3": "v"}},
		"Prefect":    {jobcarrier.Prefect(), map[string]string{"x-b3.a_1": "v", "x b3": "v"}},
		"Dagster":    {jobcarrier.Dagster(), map[string]string{"x-b3.a_1": "v"}},
		"any":        {nil, map[string]string{"x-b3.a_1": "v", "x b3": "v"}},
	} {
		params, err := jobcarrier.Inject(spanContext(t), nil, jobcarrier.WithPropagation(propagation.WithPropagator(odd{})), test.preset)
		if diff := cmp.Diff(test.want, params); diff != "" || err != nil {
			t.Errorf("%s: error %v, parameters (-want +got):\n%s", name, err, diff)
		}
	}
}

// odd is a propagator of one key that all services take and one that none does.
type odd struct{}

func (odd) Inject(_ context.Context, c propagation.TextMapCarrier) {
	c.Set("x-b3.a_1", "v")
	c.Set("x b3", "v")
}
func (odd) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context { return ctx }
func (odd) Fields() []string                                                          { return []string{"x-b3.a_1", "x b3"} }

func TestParameterDefinitions(t *testing.T) {
	t.Parallel()
	definitions := jobcarrier.ParameterDefinitions(jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default())))
	text, err := json.Marshal(definitions)
	want := `[{"default":"","name":"baggage"},{"default":"","name":"traceparent"},{"default":"","name":"tracestate"},{"default":"","name":"waybill"}]`
	if err != nil || string(text) != want {
		t.Errorf("error %v, definitions %s, want %s", err, text, want)
	}
	if got := definitions[1].Reference(); got != "{{job.parameters.traceparent}}" {
		t.Errorf("reference %q", got)
	}
}

func TestInjectConf(t *testing.T) {
	t.Parallel()
	const parent = "airflow/dagrun_parent_trace_context"
	span := spanContext(t)
	opts := []jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPropagator(w3c))}
	for name, test := range map[string]struct {
		ctx  context.Context //nolint:containedctx // a row of a table.
		conf map[string]any
		opts []jobcarrier.Option
		want map[string]any
		err  error
	}{
		"a span": {
			withTracestate(t, span, "a=1"),
			map[string]any{"day": 1, "rows": []any{"a"}},
			nil,
			map[string]any{
				"day": 1, "rows": []any{"a"}, "traceparent": traceparent, "tracestate": "a=1",
				parent: map[string]any{"traceparent": traceparent, "tracestate": "a=1"},
			},
			nil,
		},
		"no tracestate": {
			span, nil, nil,
			map[string]any{"traceparent": traceparent, parent: map[string]any{"traceparent": traceparent}},
			nil,
		},
		"baggage is not for the mapping": {
			withBaggage(t, span, "user=42"), nil,
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithBaggage("user"))},
			map[string]any{"traceparent": traceparent, "baggage": "user=42", parent: map[string]any{"traceparent": traceparent}},
			nil,
		},
		"no span":        {t.Context(), map[string]any{"day": 1}, nil, map[string]any{"day": 1}, nil},
		"nil":            {nil, nil, nil, map[string]any{}, nil},
		"null is none":   {span, map[string]any{"traceparent": nil}, nil, map[string]any{"traceparent": traceparent, parent: map[string]any{"traceparent": traceparent}}, nil},
		"the caller's":   {span, map[string]any{"traceparent": []any{1}}, nil, map[string]any{"traceparent": []any{1}}, nil},
		"the mapping is": {span, map[string]any{parent: traceparent}, nil, map[string]any{parent: traceparent}, nil},
		"an error on demand": {
			span,
			map[string]any{parent: map[string]any{}},
			[]jobcarrier.Option{jobcarrier.WithErrorOnConflict()},
			map[string]any{parent: map[string]any{}},
			jobcarrier.ErrConflict,
		},
		"replaced on demand": {
			span,
			map[string]any{"tracestate": "old=1", parent: "old"},
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPolicy(propagation.Replace))},
			map[string]any{"traceparent": traceparent, parent: map[string]any{"traceparent": traceparent}},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := maps.Clone(test.conf)
			got, err := jobcarrier.InjectConf(test.ctx, test.conf, append(opts[:1:1], test.opts...)...)
			if diff := cmp.Diff(test.want, got); diff != "" || !errors.Is(err, test.err) {
				t.Errorf("error %v, conf (-want +got):\n%s", err, diff)
			}
			if diff := cmp.Diff(before, test.conf); diff != "" {
				t.Errorf("the conf that was given has changed:\n%s", diff)
			}
		})
	}
}

// A conf holds maps and lists that others may hold too, such as the parent of
// Airflow's spans. Nothing is written to them, at any depth.
func TestInjectConf_SharedValues(t *testing.T) {
	t.Parallel()
	const parent = "airflow/dagrun_parent_trace_context"
	replace := jobcarrier.WithPropagation(propagation.WithPolicy(propagation.Replace))
	for name, test := range map[string]struct {
		conf     string
		opts     []jobcarrier.Option
		replaced bool // Whether the context of ctx is in the result.
	}{
		"nested values":             {conf: `{"day":{"rows":[1,{"traceparent":"mine"}]}}`, replaced: true},
		"a mapping":                 {conf: `{"` + parent + `":{"traceparent":"mine","tracestate":"mine=1"}}`},
		"a string":                  {conf: `{"` + parent + `":"mine"}`},
		"a mapping to replace":      {conf: `{"` + parent + `":{"traceparent":"mine","tracestate":"mine=1"}}`, opts: []jobcarrier.Option{replace}, replaced: true},
		"a string to replace":       {conf: `{"` + parent + `":"mine"}`, opts: []jobcarrier.Option{replace}, replaced: true},
		"in another case":           {conf: `{"AIRFLOW/Dagrun_Parent_Trace_Context":"mine"}`},
		"a null, which is no value": {conf: `{"` + parent + `":null}`, replaced: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var conf, before map[string]any
			for _, into := range []*map[string]any{&conf, &before} {
				if err := json.Unmarshal([]byte(test.conf), into); err != nil {
					t.Fatal(err)
				}
			}
			opts := append([]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPropagator(w3c))}, test.opts...)
			ctx := withTracestate(t, spanContext(t), "a=1")
			got, err := jobcarrier.InjectConf(ctx, conf, opts...)
			if err != nil {
				t.Error(err)
			}
			want := maps.Clone(before)
			if test.replaced {
				want["traceparent"], want["tracestate"] = traceparent, "a=1"
				want[parent] = map[string]any{"traceparent": traceparent, "tracestate": "a=1"}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("conf (-want +got):\n%s", diff)
			}
			again, err := jobcarrier.InjectConf(ctx, conf, opts...)
			if mapping, ok := again[parent].(map[string]any); ok && test.replaced {
				mapping["written"] = true
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("two results share a mapping, error %v (-want +got):\n%s", err, diff)
			}
			if diff := cmp.Diff(before, conf); diff != "" {
				t.Errorf("the conf that was given has changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestReadConf(t *testing.T) {
	t.Parallel()
	for name, conf := range map[string]string{
		"the plain keys":    `{"traceparent":"` + traceparent + `","tracestate":"a=1","rows":[1]}`,
		"the mapping alone": `{"airflow/dagrun_parent_trace_context":{"traceparent":"` + traceparent + `","tracestate":"a=1"}}`,
		"the string alone":  `{"airflow/dagrun_parent_trace_context":"` + traceparent + `"}`,
		"the plain keys win": `{"traceparent":"` + traceparent + `","tracestate":"a=1",
			"airflow/dagrun_parent_trace_context":{"traceparent":"x","tracestate":"x=1"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var values map[string]any
			if err := json.Unmarshal([]byte(conf), &values); err != nil {
				t.Fatal(err)
			}
			sc := jobcarrier.ReadConf(values, jobcarrier.WithPropagation(propagation.WithPropagator(w3c))).SpanContext()
			if sc.TraceID().String() != traceparent[3:35] || name != "the string alone" && sc.TraceState().String() != "a=1" {
				t.Errorf("read %+v", sc)
			}
			if !trace.SpanContextFromContext(jobcarrier.ExtractConf(t.Context(), values, jobcarrier.WithPropagation(propagation.WithPropagator(w3c)))).Equal(sc) {
				t.Error("ExtractConf and ReadConf differ")
			}
		})
	}
	for _, conf := range []map[string]any{nil, {"traceparent": 1}, {"airflow/dagrun_parent_trace_context": 1}} {
		if err := jobcarrier.ReadConf(conf, jobcarrier.WithPropagation(propagation.WithPropagator(w3c))).Err(); !errors.Is(err, propagation.ErrAbsent) {
			t.Errorf("%v: error %v", conf, err)
		}
	}
}

// Any JSON can be the conf of a run: reading it is no danger, and finds what a
// decoder of its own finds.
func FuzzReadConf(f *testing.F) {
	const parent = "airflow/dagrun_parent_trace_context"
	f.Add(`{"traceparent":"` + traceparent + `","tracestate":"a=1"}`)
	f.Add(`{"` + parent + `":{"traceparent":"` + traceparent + `","tracestate":1}}`)
	f.Add(`{"traceparent":null,"` + parent + `":"` + traceparent + `"}`)
	f.Add(`{"traceparent":[],"` + parent + `":[{}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var conf map[string]any
		if json.Unmarshal([]byte(text), &conf) != nil {
			return
		}
		var want struct{ traceparent, tracestate string }
		members := raw(text)
		switch {
		case isText(members["traceparent"]):
			_ = json.Unmarshal(members["traceparent"], &want.traceparent)
			_ = json.Unmarshal(members["tracestate"], &want.tracestate)
		case isText(members[parent]):
			_ = json.Unmarshal(members[parent], &want.traceparent)
		default:
			mapping := raw(string(members[parent]))
			_ = json.Unmarshal(mapping["traceparent"], &want.traceparent)
			_ = json.Unmarshal(mapping["tracestate"], &want.tracestate)
		}
		plain := map[string]string{"traceparent": want.traceparent, "tracestate": want.tracestate}
		got, same := jobcarrier.ReadConf(conf, jobcarrier.WithPropagation(propagation.WithPropagator(w3c))), jobcarrier.Read(plain, jobcarrier.WithPropagation(propagation.WithPropagator(w3c)))
		if !got.SpanContext().Equal(same.SpanContext()) {
			t.Errorf("of %s it reads %+v, want %+v", text, got.SpanContext(), same.SpanContext())
		}
	})
}

// raw returns the members of a JSON object, undecoded.
func raw(text string) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	_ = json.Unmarshal([]byte(text), &members) // another value has none.
	return members
}

func isText(value json.RawMessage) bool { return len(value) > 0 && value[0] == '"' }

func TestSpark_Keys(t *testing.T) {
	t.Parallel()
	params, err := jobcarrier.Inject(spanContext(t), map[string]string{"spark.app.name": "report"},
		jobcarrier.WithPropagation(propagation.WithPropagator(w3c)), jobcarrier.Spark())
	want := map[string]string{
		"spark.app.name":                         "report",
		"spark.waybill.traceparent":              traceparent,
		"spark.executorEnv.TRACEPARENT":          traceparent,
		"spark.kubernetes.driverEnv.TRACEPARENT": traceparent,
		"spark.yarn.appMasterEnv.TRACEPARENT":    traceparent,
	}
	if diff := cmp.Diff(want, params); diff != "" || err != nil {
		t.Errorf("error %v, parameters (-want +got):\n%s", err, diff)
	}
	// One of them is the caller's own.
	params, err = jobcarrier.Inject(spanContext(t), map[string]string{"spark.executorEnv.TRACEPARENT": "mine"},
		jobcarrier.WithPropagation(propagation.WithPropagator(w3c)), jobcarrier.Spark())
	if err != nil || len(params) != 1 {
		t.Errorf("error %v, parameters %q", err, params)
	}
}

func TestPrefect_BothLabels(t *testing.T) {
	t.Parallel()
	labels, err := jobcarrier.Inject(spanContext(t), nil, jobcarrier.WithPropagation(propagation.WithPropagator(w3c)), jobcarrier.Prefect())
	want := map[string]string{"traceparent": traceparent, "__OTEL_TRACEPARENT": traceparent}
	if diff := cmp.Diff(want, labels); diff != "" || err != nil {
		t.Errorf("error %v, labels (-want +got):\n%s", err, diff)
	}
	delete(labels, "traceparent") // As Prefect writes it for a flow of a flow.
	if remote := jobcarrier.Read(labels, jobcarrier.Prefect()); remote.Err() != nil {
		t.Errorf("Prefect's own label is not read: %v", remote.Err())
	}
}

// A tag of Dagster has at most 63 characters of a small set.
func TestDagster_Values(t *testing.T) {
	t.Parallel()
	ctx := withTracestate(t, withBaggage(t, spanContext(t), "user=42"), "a=1")
	tags, err := jobcarrier.Inject(ctx, nil, jobcarrier.Dagster(),
		jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()), propagation.WithBaggage("user")))
	if err != nil || len(tags) != 2 || tags["traceparent"] != traceparent || tags["waybill"] == "" {
		t.Errorf("error %v, tags %q, want the traceparent and the waybill", err, tags)
	}
	tag := regexp.MustCompile(`^[A-Za-z0-9_.-]{0,63}$`) // The rule of Dagster's code.
	for _, value := range append(attacks(), strings.Repeat("v", 63), strings.Repeat("v", 64)) {
		params, _ := written(t, value, jobcarrier.Dagster())
		for name, got := range params {
			if !tag.MatchString(name) || !tag.MatchString(got) {
				t.Errorf("%q: the tag %q is %q", value, name, got)
			}
		}
	}
}

func TestGlue_Size(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		own  int // Bytes of the caller's own argument.
		want int // How many arguments there are then.
		err  error
	}{
		"room":    {own: 259_000, want: 3},
		"little":  {own: 259_890, want: 2},
		"no room": {own: 259_950, want: 1, err: jobcarrier.ErrTooLarge},
	} {
		own := map[string]string{"--x": strings.Repeat("v", test.own)}
		args, err := jobcarrier.Inject(spanContext(t), own, jobcarrier.Glue(),
			jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default())))
		if len(args) != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %d arguments, error %v; want %d, %v", name, len(args), err, test.want, test.err)
		}
	}
}

func TestWithPropagation_HostileGlobals(t *testing.T) {
	ctx := spanContext(t)
	setGlobalPropagator(t, odd{})
	for _, opts := range [][]jobcarrier.Option{nil, {jobcarrier.WithPropagation(propagation.WithPropagator(nil))}} {
		if params, err := jobcarrier.Inject(ctx, nil, opts...); err != nil || params["x-b3.a_1"] != "v" {
			t.Errorf("the global propagator was not used: %v, %q", err, params)
		}
	}
	setGlobalPropagator(t, hostile{t})
	opts := []jobcarrier.Option{
		jobcarrier.WithPropagation(propagation.WithPropagator(w3c)), jobcarrier.WithPropagation(propagation.WithMaxBytes(200)), jobcarrier.WithPropagation(propagation.WithBaggage("a")), jobcarrier.WithPropagation(propagation.WithoutBaggage()),
		jobcarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting)), jobcarrier.WithErrorOnConflict(),
		jobcarrier.Databricks(), jobcarrier.DatabricksEnv(), jobcarrier.Argo(), jobcarrier.Airflow(), jobcarrier.Spark(),
		jobcarrier.Glue(), jobcarrier.Prefect(), jobcarrier.Dagster(), nil,
	}
	params, err := jobcarrier.Inject(ctx, nil, opts...)
	if err != nil {
		t.Error(err)
	}
	conf, err := jobcarrier.InjectConf(ctx, nil, opts...)
	if err != nil {
		t.Error(err)
	}
	args := jobcarrier.InjectArgs(ctx, []string{}, opts...)
	for name, remote := range map[string]propagation.Remote{
		"Read": jobcarrier.Read(params, opts...), "ReadConf": jobcarrier.ReadConf(conf, opts...), "ReadArgs": jobcarrier.ReadArgs(args, opts...),
	} {
		if !remote.SpanContext().IsValid() {
			t.Errorf("%s gives nothing", name)
		}
	}
	for name, extracted := range map[string]context.Context{
		"Extract":     jobcarrier.Extract(t.Context(), params, opts...),
		"ExtractConf": jobcarrier.ExtractConf(t.Context(), conf, opts...),
		"ExtractArgs": jobcarrier.ExtractArgs(t.Context(), args, opts...),
	} {
		if !trace.SpanContextFromContext(extracted).IsValid() {
			t.Errorf("%s gives nothing", name)
		}
	}
	if len(jobcarrier.ParameterDefinitions(opts...)) != 3 {
		t.Error("the definitions are those of another propagator")
	}
}
