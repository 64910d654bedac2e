// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build airflow

package airflow_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

// A run that Go starts by the API continues the flow in its task, and what the task
// passes on continues it in Go. A run without a context starts a trace. The environment
// of Airflow holds a context of its own, and so does the header of each request; no task
// follows these.
func TestAirflow(t *testing.T) {
	for _, test := range []struct {
		name, environment string
		traces            bool // Airflow records spans of its own.
		check             func(t *testing.T, r *flowtest.Recording)
	}{
		{name: "stable", environment: "airflow", check: func(t *testing.T, r *flowtest.Recording) {
			r.Span("airflow report of tue").ChildOf("shop start report").LinkedTo("shop start report").Remote()
			requireRoot(t, r, "airflow report of mon")
		}},
		{name: "stable with traces", environment: "airflow", traces: true, check: func(_ *testing.T, r *flowtest.Recording) {
			r.Span("airflow report of tue").ChildOf("airflow worker.write").LinkedTo("shop start report")
			r.Span("airflow report of mon").ChildOf("airflow worker.write")
		}},
		{name: "next", environment: "airflow-next", check: func(t *testing.T, r *flowtest.Recording) {
			r.Span("airflow report of tue").ChildOf("shop start report").LinkedTo("shop start report").Remote()
			requireRoot(t, r, "airflow report of mon")
		}},
		{name: "next with traces", environment: "airflow-next", traces: true, check: func(_ *testing.T, r *flowtest.Recording) {
			r.RequirePath("shop start report", "airflow dag_run.report")
			r.RequirePath("shop start report", "airflow worker.write", "airflow report of tue", "shop load")
			r.Span("airflow report of mon").ChildOf("airflow worker.write")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := flowtest.New(t)
			shop := f.Service("shop").Tracer("test")
			stale, other := shop.Start(f.Context(), "other")
			other.End()
			env := f.Env(stale, "airflow")
			names := []string{"airflow report of tue", "airflow report of mon", "shop load"}
			if test.traces {
				env = append(env, "AIRFLOW__TRACES__OTEL_ON=True")
				names = append(names, "airflow dag_run.report", "airflow dag_run.report", "airflow worker.write", "airflow worker.write")
			}
			a := startAirflow(t, test.environment, env)

			ctx, span := shop.Start(withTenant(f.Context(), t), "start report")
			conf, err := jobcarrier.InjectConf(ctx, map[string]any{"day": "tue", "title": "{{ ds }} $(HOME) Ø", "rows": 3.0}, carried)
			if err != nil {
				t.Fatal(err)
			}
			got := a.trigger(t, "with-context", conf)
			span.End()
			a.trigger(t, "without-context", map[string]any{})
			_, load := shop.Start(jobcarrier.Extract(f.Context(), got.Context, carried), "load")
			load.End()

			if diff := cmp.Diff(conf, got.Conf); diff != "" {
				t.Errorf("conf of the task (-want +got):\n%s", diff)
			}
			requireNextHop(t, conf["waybill"], got.Context["waybill"])
			r := f.Wait(30*time.Second, names...)
			r.Span("airflow report of tue").Attr("waybill.extract", "ok").Attr("test.tenant", tenant)
			r.Span("airflow report of mon").Attr("waybill.extract", "absent").Attr("test.tenant", "None")
			r.Span("shop load").ChildOf("airflow report of tue")
			test.check(t, r)
			r.RequireNoFindings()
			if t.Failed() {
				t.Log(r.Tree())
			}
			requireRefusals(t, a)
		})
	}
}

// requireRoot checks that a span has no parent and no links.
func requireRoot(t *testing.T, r *flowtest.Recording, name string) {
	t.Helper()
	span := r.Span(name).Stub()
	if span.Parent.IsValid() || len(span.Links) > 0 {
		t.Errorf("%s has the parent %v and %d links; want none", name, span.Parent.SpanID(), len(span.Links))
	}
}

// requireNextHop checks that a waybill describes the same data, sent once more.
func requireNextHop(t *testing.T, sent any, passed string) {
	t.Helper()
	text, _ := sent.(string)
	before, err := propagation.ParseWaybill(text)
	if err != nil {
		t.Fatal(err)
	}
	after, err := propagation.ParseWaybill(passed)
	if err != nil || !after.Origin.Equal(before.Origin) || after.Hops != before.Hops+1 {
		t.Errorf("the task passes on the waybill %v, error %v; it was sent %v", after, err, before)
	}
}

// requireRefusals checks which requests the API refuses, and how.
func requireRefusals(t *testing.T, a *airflow) {
	t.Helper()
	for name, test := range map[string]struct {
		body   map[string]any
		status int
	}{
		"an id that was used":       {map[string]any{"dag_run_id": "with-context", "logical_date": nil}, http.StatusConflict},
		"no logical date":           {map[string]any{"dag_run_id": "other"}, http.StatusUnprocessableEntity},
		"a field that is not known": {map[string]any{"logical_date": nil, "traceparent": "x"}, http.StatusUnprocessableEntity},
		"a conf that is not a map":  {map[string]any{"logical_date": nil, "conf": "x"}, http.StatusUnprocessableEntity},
		"a Param of another type":   {map[string]any{"logical_date": nil, "conf": map[string]any{"day": 5}}, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			if status, answer := a.call(t, http.MethodPost, runs, test.body); status != test.status {
				t.Errorf("it is answered with %d, want %d: %v", status, test.status, answer)
			}
		})
	}
}
