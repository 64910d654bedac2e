// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// withNote lets the member "note" of the baggage through.
var withNote = propagation.WithBaggage("note")

// shape is a kind of task: where its parameters are in a call, and what a process gets of
// its own ones.
type shape struct {
	task  func(named map[string]string, args []string) jobs.SubmitTask
	named map[string]string
	args  []string
}

// shapes are the kinds of tasks that have parameters, each with some of its own.
func shapes() map[string]shape {
	region, list := map[string]string{"region": "Chile"}, []string{"--region=Chile", "x"}
	return map[string]shape{
		"notebook": {named: region, task: func(named map[string]string, _ []string) jobs.SubmitTask {
			return jobs.SubmitTask{NotebookTask: &jobs.NotebookTask{NotebookPath: "/Shared/notebook", BaseParameters: named}}
		}},
		"query": {named: region, task: func(named map[string]string, _ []string) jobs.SubmitTask {
			return jobs.SubmitTask{SqlTask: &jobs.SqlTask{WarehouseId: "1", Query: &jobs.SqlTaskQuery{QueryId: "1"}, Parameters: named}}
		}},
		"wheel": {named: region, task: func(named map[string]string, _ []string) jobs.SubmitTask {
			return jobs.SubmitTask{PythonWheelTask: &jobs.PythonWheelTask{PackageName: "report", EntryPoint: "main", NamedParameters: named}}
		}},
		"wheel with a list": {args: list, task: func(_ map[string]string, args []string) jobs.SubmitTask {
			return jobs.SubmitTask{PythonWheelTask: &jobs.PythonWheelTask{PackageName: "report", EntryPoint: "main", Parameters: args}}
		}},
		"script": {args: list, task: func(_ map[string]string, args []string) jobs.SubmitTask {
			return jobs.SubmitTask{SparkPythonTask: &jobs.SparkPythonTask{PythonFile: "/Shared/script.py", Parameters: args}}
		}},
		"JAR": {args: list, task: func(_ map[string]string, args []string) jobs.SubmitTask {
			return jobs.SubmitTask{SparkJarTask: &jobs.SparkJarTask{MainClassName: "Report", Parameters: args}}
		}},
		"spark-submit": {args: list, task: func(_ map[string]string, args []string) jobs.SubmitTask {
			options := []string{"--class", "Report", "--conf", "spark.x=1", "dbfs:/report.jar"}
			return jobs.SubmitTask{SparkSubmitTask: &jobs.SparkSubmitTask{Parameters: slices.Concat(options, args)}}
		}},
	}
}

// What is submitted has no job, so the context is in the parameters of each task.
func TestSubmit_Shapes(t *testing.T) {
	t.Parallel()
	for name, shape := range shapes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := inFlowWith(t, "a=1", "o'neill, {{x}}")
			opts := []jobcarrier.Option{jobcarrier.Databricks(), jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()), withNote)}
			named, err := jobcarrier.Inject(ctx, shape.named, opts...)
			if err != nil {
				t.Fatal(err)
			}
			task := shape.task(named, jobcarrier.InjectArgs(ctx, shape.args, opts...))
			requireLaunch(t, submitted(t, task), shape, ctx, opts)
		})
	}
}

// The base parameters of a notebook have another limit than the preset.
func TestSubmit_LargeBaseParameters(t *testing.T) {
	t.Parallel()
	ctx := inFlowWith(t, "a=1", "o'neill, {{x}}")
	own := map[string]string{"region": "Chile", "note": strings.Repeat("n", 100_000)}
	opts := []jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()), withNote)}
	if _, err := jobcarrier.Inject(ctx, own, append(opts, jobcarrier.Databricks())...); !errors.Is(err, jobcarrier.ErrTooLarge) {
		t.Errorf("with the preset the error is %v", err)
	}
	named, err := jobcarrier.Inject(ctx, own, opts...)
	if err != nil {
		t.Fatal(err)
	}
	large := shapes()["notebook"]
	requireLaunch(t, submitted(t, large.task(named, nil)), large, ctx, opts)
}

// submitted returns what the process of a task gets that is submitted alone.
func submitted(t *testing.T, task jobs.SubmitTask) launch {
	t.Helper()
	var launched []launch
	client := connect(t, startWorkspace(t, func(l launch) { launched = append(launched, l) }), nil)
	task.TaskKey = "report"
	call(t, client.Jobs.Submit, jobs.SubmitRun{Tasks: []jobs.SubmitTask{task}})
	if len(launched) != 1 {
		t.Fatalf("%d tasks are started, want 1", len(launched))
	}
	return launched[0]
}

// requireLaunch checks that a process gets the context of ctx and its own parameters.
func requireLaunch(t *testing.T, l launch, own shape, ctx context.Context, opts []jobcarrier.Option) { //nolint:revive // t first.
	t.Helper()
	remote, rest := jobcarrier.TakeArgs(l.args, opts...)
	want := own.args
	switch {
	case l.named != nil:
		remote = jobcarrier.Read(l.named, opts...)
		if l.named["region"] != "Chile" {
			t.Errorf("it gets the parameters %v", l.named)
		}
	case own.named != nil:
		want = []string{"--region=Chile"}
	}
	if diff := cmp.Diff(want, rest); l.named == nil && diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	requireContext(t, remote, ctx)
}

// requireContext checks that remote is all that ctx has.
func requireContext(t *testing.T, remote propagation.Remote, ctx context.Context) { //nolint:revive // t first.
	t.Helper()
	want := trace.SpanContextFromContext(ctx)
	if got := remote.SpanContext(); got.SpanID() != want.SpanID() || got.TraceState().String() != want.TraceState().String() {
		t.Errorf("the span context %v, want %v", got, want)
	}
	if got := remote.Baggage().Member("note").Value(); got != "o'neill, {{x}}" {
		t.Errorf("the baggage %q", got)
	}
	if remote.Waybill().Hops != 1 {
		t.Errorf("the waybill %+v, want one hop", remote.Waybill())
	}
}

// The parameters of a job reach a task that has named ones; any other refers to them.
func TestRunNow_Shapes(t *testing.T) {
	t.Parallel()
	for name, shape := range shapes() {
		for _, refers := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var launched []launch
				client := connect(t, startWorkspace(t, func(l launch) { launched = append(launched, l) }), nil)
				opts := []jobcarrier.Option{jobcarrier.Databricks(), jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()), withNote)}
				var definitions []jobs.JobParameterDefinition
				args := slices.Clone(shape.args)
				for _, d := range jobcarrier.ParameterDefinitions(opts...) {
					definitions = append(definitions, jobs.JobParameterDefinition(d))
					if refers && args != nil {
						args = append(args, "--"+d.Name+"="+d.Reference())
					}
				}
				task := shape.task(shape.named, args)
				job, err := client.Jobs.Create(t.Context(), jobs.CreateJob{Parameters: definitions, Tasks: []jobs.Task{{
					TaskKey: "report", NotebookTask: task.NotebookTask, SqlTask: task.SqlTask, PythonWheelTask: task.PythonWheelTask,
					SparkPythonTask: task.SparkPythonTask, SparkJarTask: task.SparkJarTask, SparkSubmitTask: task.SparkSubmitTask,
				}}})
				if err != nil {
					t.Fatal(err)
				}
				ctx := inFlowWith(t, "a=1", "o'neill, {{x}}")
				parameters, err := jobcarrier.Inject(ctx, nil, opts...)
				if err != nil {
					t.Fatal(err)
				}
				call(t, client.Jobs.RunNow, jobs.RunNow{JobId: job.JobId, JobParameters: parameters})
				if refers || shape.args == nil {
					requireLaunch(t, launched[0], shape, ctx, opts)
				} else if err := contextOf(launched[0]).Err(); err == nil {
					t.Error("it gets a context that its definition does not refer to: references are no longer needed")
				}
			})
		}
	}
}

// The variables of a new cluster, which a shell exports, are for a run of its own.
func TestSubmit_SparkEnvVars(t *testing.T) {
	t.Parallel()
	ctx := inFlowWith(t, "a=1", "o'neill, {{x}}")
	with := propagation.WithPropagator(propagation.Default())
	variables, err := jobcarrier.Inject(ctx, map[string]string{"REGION": "Chile"}, jobcarrier.DatabricksEnv(), jobcarrier.WithPropagation(with, withNote))
	if err != nil {
		t.Fatal(err)
	}
	l := submitted(t, jobs.SubmitTask{
		SparkPythonTask: &jobs.SparkPythonTask{PythonFile: "/Shared/script.py"},
		NewCluster:      &compute.ClusterSpec{SparkVersion: "17.3.x-scala2.13", NumWorkers: 1, SparkEnvVars: variables},
	})
	got := map[string]string{}
	for _, entry := range l.environ {
		name, value, _ := strings.Cut(entry, "=")
		got[name] = value
	}
	want := maps.Clone(variables)
	for _, name := range []string{"PWD", "OLDPWD", "SHLVL", "_"} { // Those of the shell.
		delete(got, name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the variables of the cluster (-want +got):\n%s", diff)
	}
	requireContext(t, envcarrier.ReadMap(got, envcarrier.WithPropagation(with, withNote)), ctx)
}
