// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build airflow

package airflow_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/baggage"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

// tracing is what Airflow does about spans of its own.
type tracing struct {
	on     bool // It records them.
	joined bool // It also continues the trace of the conf.
}

// Runs that Go starts by the API continue the flow in their tasks, and what a task
// passes on continues it in Go. The environment of Airflow holds a context of its own,
// and so does the header of each request; only a command that is given no context
// follows the former.
func TestAirflow(t *testing.T) {
	path := withCommand(t)
	for _, test := range []struct {
		name, environment string
		tracing           tracing
	}{
		{name: "stable", environment: "airflow"},
		{name: "stable with traces", environment: "airflow", tracing: tracing{on: true}},
		{name: "next", environment: "airflow-next"},
		{name: "next with traces", environment: "airflow-next", tracing: tracing{on: true, joined: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := flowtest.New(t)
			shop := f.Service("shop").Tracer("test")
			stale, other := shop.Start(f.Context(), "other")
			other.End()
			env := append(f.Env(stale, "airflow"), path)
			if test.tracing.on {
				env = append(env, "AIRFLOW__TRACES__OTEL_ON=True", "OTEL_TRACES_SAMPLER=parentbased_always_on")
			}
			a := startAirflow(t, test.environment, env)

			ctx, span := shop.Start(withTenant(f.Context(), t), "start report")
			got := runAll(ctx, t, a)
			if test.tracing.on {
				runParents(ctx, t, a)
			}
			span.End()
			_, load := shop.Start(jobcarrier.Extract(f.Context(), got, carried), "load")
			load.End()

			r := f.Wait(patience, spansOf(test.tracing)...)
			requireTasks(t, r, test.tracing)
			var retried flowtest.FindingsOption
			if test.tracing.on {
				requireParents(t, r, test.tracing)
				retried = flowtest.Allow("P22") // Airflow gives all attempts of a task one span id.
			}
			r.Span("shop load").ChildOf("airflow report of tue")
			r.RequireNoFindings(retried)
			if t.Failed() {
				t.Log(r.Tree())
			}
			requireAnswers(t, a)
		})
	}
}

// runAll runs the DAGs to their ends, checks what the tasks got, and returns what the
// task that got the context of ctx passes on.
func runAll(ctx context.Context, t *testing.T, a *airflow) map[string]string {
	t.Helper()
	conf, err := jobcarrier.InjectConf(ctx, map[string]any{"day": "tue", "title": text, "rows": 3.0, "none": nil}, carried)
	if err != nil {
		t.Fatal(err)
	}
	report := a.trigger(t, "report", "with-context", conf)
	without := a.trigger(t, "report", "without-context", nil)
	old := a.trigger(t, "report", "old", sentBefore(conf, 21*time.Minute))
	shapes := a.trigger(t, "shapes", "with-context", conf)
	asString := a.trigger(t, "report", "string", map[string]any{"day": "wed", parentKey: conf["traceparent"]})
	asMapping := a.trigger(t, "report", "mapping", map[string]any{"day": "thu", parentKey: map[string]any{
		"traceparent": conf["traceparent"], "baggage": conf["baggage"],
	}})
	for _, run := range []dagRun{report, without, old, shapes, asString, asMapping} {
		run.await(t)
	}
	report.again(t)

	var got, none struct {
		Conf, Params map[string]any    // As the task received them.
		Context      map[string]string // What it passes on.
	}
	report.returned(t, "write", &got)
	if diff := cmp.Diff(conf, got.Conf); diff != "" {
		t.Errorf("conf of the task (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(conf, got.Params); diff != "" {
		t.Errorf("params of the task (-want +got):\n%s", diff)
	}
	requireNextHop(t, conf["waybill"], got.Context["waybill"])
	without.returned(t, "write", &none)
	if len(none.Conf) > 0 {
		t.Errorf("conf of the task without a conf is %v", none.Conf)
	}
	var variable string
	shapes.returned(t, "command", &variable)
	if b, err := baggage.Parse(variable); err != nil || b.Member("tenant").Value() != tenant {
		t.Errorf("the command has the baggage %q, error %v; want the tenant %q", variable, err, tenant)
	}
	return got.Context
}

// sentBefore returns the conf of a run that was started earlier, as a run has that is
// cleared.
func sentBefore(conf map[string]any, age time.Duration) map[string]any {
	sent := time.Now().Add(-age)
	conf = maps.Clone(conf)
	conf["day"] = "old"
	conf["waybill"] = propagation.Waybill{Origin: sent, Sent: sent, Hops: 1}.String()
	return conf
}

// tasks are the spans that the tasks start as children, and their tasks.
var tasks = map[string]string{
	"airflow report of tue": "write",
	"airflow report of wed": "write",
	"airflow report of thu": "write",
	"airflow attempt 1":     "retried",
	"airflow attempt 2":     "retried",
	"airflow region Chile":  "regions.write[0]",
	"airflow region Japan":  "regions.write[1]",
}

// spansOf returns the names of the spans to wait for.
func spansOf(tracing tracing) []string {
	names := []string{
		"shop load", "airflow report of mon", "airflow report of old", "airflow queued", "airflow command", "airflow leak",
		"airflow report of tue", // Of the run that was cleared.
	}
	for name := range tasks {
		names = append(names, name)
	}
	for range fatesOf(tracing) {
		names = append(names, "airflow dag_run.bare")
	}
	if tracing.on {
		for range 6 {
			names = append(names, "airflow dag_run.report", "airflow worker.write")
		}
		names = append(names, "airflow dag_run.shapes", "airflow worker.retried", "airflow worker.retried",
			"airflow worker.regions.write[0]", "airflow worker.regions.write[1]", "airflow worker.queued")
	}
	return names
}

// requireTasks checks the spans of the tasks.
func requireTasks(t *testing.T, r *flowtest.Recording, tracing tracing) {
	t.Helper()
	for name, task := range tasks {
		span := r.Span(name)
		switch {
		case tracing.joined:
			r.RequirePath("shop start report", "airflow worker."+task, name)
		case tracing.on:
			span.ChildOf("airflow worker." + task).LinkedTo("shop start report")
		default:
			span.ChildOf("shop start report").LinkedTo("shop start report").Remote()
		}
	}
	r.Span("airflow report of tue").Times(2).Attr("waybill.extract", "ok").Attr("test.tenant", tenant)
	r.Span("airflow report of thu").Attr("test.tenant", "None")
	r.Span("airflow attempt 1").Attr("etl.outcome", "failure").ErrorType("ValueError")
	r.Span("airflow attempt 2").Attr("etl.outcome", "success")
	r.Span("airflow region Chile").Attr("test.index", 0)
	r.Span("airflow region Japan").Attr("test.index", 1)
	r.Span("airflow command").ChildOf("shop start report").LinkedTo("shop start report")
	r.Span("airflow leak").ChildOf("shop other")
	r.Span("airflow queued").LinkedTo("shop start report")
	requireNoParent(t, r, "airflow queued")

	r.Span("airflow report of mon").Attr("waybill.extract", "absent").Attr("test.tenant", "None")
	old := r.Span("airflow report of old").Attr("waybill.extract", "ok")
	if tracing.on {
		r.Span("airflow report of mon").ChildOf("airflow worker.write")
		old.ChildOf("airflow worker.write")
	} else {
		requireNoParent(t, r, "airflow report of mon")
		requireNoParent(t, r, "airflow report of old")
	}
	if tracing.joined {
		r.RequirePath("shop start report", "airflow dag_run.report")
		r.RequirePath("shop start report", "airflow worker.write", "airflow report of old")
	} else {
		old.LinkedTo("shop start report")
	}
}

// requireNoParent checks that a span begins a trace.
func requireNoParent(t *testing.T, r *flowtest.Recording, name string) {
	t.Helper()
	if parent := r.Span(name).Stub().Parent; parent.IsValid() {
		t.Errorf("%s has the parent %v, want none", name, parent.SpanID())
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
