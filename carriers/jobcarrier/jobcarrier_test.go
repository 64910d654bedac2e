// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// w3c is a propagator without a waybill, so that results can be compared.
var w3c = propagation.Compose(propagation.TraceContext{}, propagation.Baggage{})

// Rule 49.
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
		"kept on demand too":  {span, map[string]string{"traceparent": "mine"}, []jobcarrier.Option{jobcarrier.WithPolicy(propagation.KeepExisting)}, map[string]string{"traceparent": "mine"}, nil},
		"an error on demand":  {span, map[string]string{"traceparent": "mine"}, []jobcarrier.Option{jobcarrier.WithErrorOnConflict()}, map[string]string{"traceparent": "mine"}, jobcarrier.ErrConflict},
		"no conflict without": {t.Context(), map[string]string{"traceparent": "mine"}, []jobcarrier.Option{jobcarrier.WithErrorOnConflict()}, map[string]string{"traceparent": "mine"}, nil},
		"replaced on demand": {
			span,
			map[string]string{"traceparent": "old", "tracestate": "old=1", "baggage": "old=1", "day": "mon"},
			[]jobcarrier.Option{jobcarrier.WithPolicy(propagation.Replace), jobcarrier.WithErrorOnConflict()},
			map[string]string{"day": "mon", "traceparent": traceparent},
			nil,
		},
		"removed on demand": {
			t.Context(),
			map[string]string{"traceparent": "old", "day": "mon"},
			[]jobcarrier.Option{jobcarrier.WithPolicy(propagation.Replace)},
			map[string]string{"day": "mon"},
			nil,
		},
		"the zero policy is the default": {
			span,
			map[string]string{"traceparent": "mine"},
			[]jobcarrier.Option{jobcarrier.WithPolicy(propagation.Replace), jobcarrier.WithPolicy(0)},
			map[string]string{"traceparent": "mine"},
			nil,
		},
		// Rule 58.
		"no baggage by default": {withBaggage(t, span, "user=42"), nil, nil, map[string]string{"traceparent": traceparent}, nil},
		"baggage key by key": {
			withBaggage(t, span, "user=42,tenant=7"), nil,
			[]jobcarrier.Option{jobcarrier.WithBaggage("tenant")},
			map[string]string{"traceparent": traceparent, "baggage": "tenant=7"},
			nil,
		},
		"the caller's own baggage": {
			withBaggage(t, span, "user=42"),
			map[string]string{"baggage": "two bags"},
			[]jobcarrier.Option{jobcarrier.WithBaggage("user")},
			map[string]string{"traceparent": traceparent, "baggage": "two bags"},
			nil,
		},
		"no baggage after all": {
			withBaggage(t, span, "user=42"), nil,
			[]jobcarrier.Option{jobcarrier.WithBaggage("user"), jobcarrier.WithoutBaggage()},
			map[string]string{"traceparent": traceparent},
			nil,
		},
		"at most so many bytes": {
			withTracestate(t, span, "a=1"), nil,
			[]jobcarrier.Option{jobcarrier.WithMaxBytes(70)},
			map[string]string{"traceparent": traceparent},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := maps.Clone(test.params)
			opts := append([]jobcarrier.Option{jobcarrier.WithPropagator(w3c)}, test.opts...)
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

//nolint:contextcheck // Read takes no context.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	ctx := withTracestate(t, withBaggage(t, spanContext(t), "user=42"), "a=1")
	for name, opts := range map[string][]jobcarrier.Option{
		"none":       nil,
		"Databricks": {jobcarrier.Databricks()},
		"Airflow":    {jobcarrier.Airflow()},
		"Spark":      {jobcarrier.Spark()},
		"Argo":       {jobcarrier.Argo()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts = append(opts, jobcarrier.WithPropagator(propagation.Default()), jobcarrier.WithBaggage("user"))
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

func TestMalformedContextLeavesCtxAlone(t *testing.T) {
	t.Parallel()
	params := map[string]string{"traceparent": "00-0", "tracestate": "a=1"}
	if ctx := jobcarrier.Extract(t.Context(), params, jobcarrier.WithPropagator(w3c)); ctx != t.Context() {
		t.Error("ctx is another one")
	}
	var malformed *propagation.MalformedError
	if err := jobcarrier.Read(params, jobcarrier.WithPropagator(w3c)).Err(); !errors.As(err, &malformed) {
		t.Errorf("error %v", err)
	}
	if err := jobcarrier.Read(nil, jobcarrier.WithPropagator(w3c)).Err(); !errors.Is(err, propagation.ErrAbsent) {
		t.Errorf("error %v", err)
	}
}

// Rule 47.
//
//nolint:contextcheck // Read takes no context.
func TestReferencesCannotArise(t *testing.T) {
	t.Parallel()
	ctx := withTracestate(t, withBaggage(t, spanContext(t), "user={{job.id}},b=a}b;p={{x}}"), "a={{job.id}}")
	with := []jobcarrier.Option{jobcarrier.WithPropagator(w3c), jobcarrier.WithBaggage("user", "b")}
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

// Rules 46 and 52.
func TestDatabricksSizePreflight(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	span := withTracestate(t, withBaggage(t, spanContext(t), "user=42"), "a=1")
	opts := []jobcarrier.Option{jobcarrier.WithPropagator(propagation.Default()), jobcarrier.WithBaggage("user"), jobcarrier.Databricks()}
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

// Rule 44.
func TestKeysAreValid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		preset jobcarrier.Option
		want   map[string]string
	}{
		"Databricks": {jobcarrier.Databricks(), map[string]string{"x-b3.a_1": "v"}},
		"Argo":       {jobcarrier.Argo(), map[string]string{}},
		"any":        {nil, map[string]string{"x-b3.a_1": "v", "x b3": "v"}},
	} {
		params, err := jobcarrier.Inject(spanContext(t), nil, jobcarrier.WithPropagator(odd{}), test.preset)
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

// Rule 45.
func TestParameterDefinitions(t *testing.T) {
	t.Parallel()
	definitions := jobcarrier.ParameterDefinitions(jobcarrier.WithPropagator(propagation.Default()))
	text, err := json.Marshal(definitions)
	want := `[{"name":"baggage","default":""},{"name":"traceparent","default":""},{"name":"tracestate","default":""},{"name":"waybill","default":""}]`
	if err != nil || string(text) != want {
		t.Errorf("error %v, definitions %s, want %s", err, text, want)
	}
	// Rule 44.
	if got := definitions[1].Reference(); got != "{{job.parameters.traceparent}}" {
		t.Errorf("reference %q", got)
	}
}

// Rule 55.
func TestInjectConf(t *testing.T) {
	t.Parallel()
	const parent = "airflow/dagrun_parent_trace_context"
	span := spanContext(t)
	opts := []jobcarrier.Option{jobcarrier.WithPropagator(w3c)}
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
			[]jobcarrier.Option{jobcarrier.WithBaggage("user")},
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
			[]jobcarrier.Option{jobcarrier.WithPolicy(propagation.Replace)},
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
			sc := jobcarrier.ReadConf(values, jobcarrier.WithPropagator(w3c)).SpanContext()
			if sc.TraceID().String() != traceparent[3:35] || name != "the string alone" && sc.TraceState().String() != "a=1" {
				t.Errorf("read %+v", sc)
			}
			if !trace.SpanContextFromContext(jobcarrier.ExtractConf(t.Context(), values, jobcarrier.WithPropagator(w3c))).Equal(sc) {
				t.Error("ExtractConf and ReadConf differ")
			}
		})
	}
	for _, conf := range []map[string]any{nil, {"traceparent": 1}, {"airflow/dagrun_parent_trace_context": 1}} {
		if err := jobcarrier.ReadConf(conf, jobcarrier.WithPropagator(w3c)).Err(); !errors.Is(err, propagation.ErrAbsent) {
			t.Errorf("%v: error %v", conf, err)
		}
	}
}

// Rules 53 and 54.
func TestSparkKeysReachTheDriver(t *testing.T) {
	t.Parallel()
	params, err := jobcarrier.Inject(spanContext(t), map[string]string{"spark.app.name": "report"},
		jobcarrier.WithPropagator(w3c), jobcarrier.Spark())
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
		jobcarrier.WithPropagator(w3c), jobcarrier.Spark())
	if err != nil || len(params) != 1 {
		t.Errorf("error %v, parameters %q", err, params)
	}
}

func TestPropagatorIsTheGivenOrTheGlobalOne(t *testing.T) {
	ctx := spanContext(t)
	setGlobalPropagator(t, odd{})
	for _, opts := range [][]jobcarrier.Option{nil, {jobcarrier.WithPropagator(nil)}} {
		if params, err := jobcarrier.Inject(ctx, nil, opts...); err != nil || params["x-b3.a_1"] != "v" {
			t.Errorf("the global propagator was not used: %v, %q", err, params)
		}
	}
	setGlobalPropagator(t, hostile{t})
	opts := []jobcarrier.Option{
		jobcarrier.WithPropagator(w3c), jobcarrier.WithMaxBytes(200), jobcarrier.WithBaggage("a"), jobcarrier.WithoutBaggage(),
		jobcarrier.WithPolicy(propagation.KeepExisting), jobcarrier.WithErrorOnConflict(),
		jobcarrier.Databricks(), jobcarrier.Argo(), jobcarrier.Airflow(), jobcarrier.Spark(), nil,
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
