// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command databricks creates a job in a Databricks workspace, starts a run of it, and
// submits a run without a job. The runs are in Python, notebook.py and script.py, and
// continue the trace of this program. DATABRICKS_HOST and DATABRICKS_TOKEN, or any other
// authentication that the SDK knows, select the workspace.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/examples/internal/telemetry"
)

func main() {
	ctx := context.Background()
	stop := telemetry.Start(ctx)
	err := run(ctx)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	ctx, span := otel.Tracer("databricks").Start(ctx, "trigger")
	defer span.End()

	// The calls of the API become spans. With its own transport the SDK would send a
	// traceparent that belongs to no span.
	traced := otelhttp.NewTransport(http.DefaultTransport, otelhttp.WithFilter(inFlow))
	w, err := databricks.NewWorkspaceClient(&databricks.Config{HTTPTransport: traced})
	if err != nil {
		return err
	}
	job, err := create(ctx, w)
	if err != nil {
		return err
	}
	started, err := runNow(ctx, w, job)
	if err != nil {
		return err
	}
	submitted, err := submit(ctx, w)
	if err != nil {
		return err
	}
	// What a run did is found by its id. A call that is retried with the same token has
	// the id of the first one.
	span.SetAttributes(attribute.Int64Slice("databricks.run_ids", []int64{started, submitted}))
	fmt.Printf("job %d, run %d\nsubmitted run %d\n", job, started, submitted)
	return nil
}

// inFlow reports whether a request belongs to the work of a span. The SDK reads the
// metadata of its host with a context of its own.
func inFlow(r *http.Request) bool { return trace.SpanContextFromContext(r.Context()).IsValid() }

// create creates a job that takes a context. Update a job that is there in the same way.
func create(ctx context.Context, w *databricks.WorkspaceClient) (int64, error) {
	parameters := []jobs.JobParameterDefinition{{Name: "region", Default: "Taiwan"}}
	args := []string{"--region={{job.parameters.region}}"} // Of a Python script.
	for _, definition := range jobcarrier.ParameterDefinitions() {
		parameters = append(parameters, jobs.JobParameterDefinition(definition))
		args = append(args, "--"+definition.Name+"="+definition.Reference())
	}
	job, err := w.Jobs.Create(ctx, jobs.CreateJob{
		Name:       "report",
		Parameters: parameters,
		Tasks: []jobs.Task{
			{TaskKey: "notebook", NotebookTask: &jobs.NotebookTask{NotebookPath: "/Shared/notebook"}},
			{TaskKey: "script", SparkPythonTask: &jobs.SparkPythonTask{PythonFile: "/Shared/script.py", Parameters: args}},
		},
	})
	if err != nil {
		return 0, err
	}
	return job.JobId, nil
}

// runNow starts a run of a job: the context is in the parameters of the job.
func runNow(ctx context.Context, w *databricks.WorkspaceClient, job int64) (int64, error) {
	parameters, err := jobcarrier.Inject(ctx, map[string]string{"region": "Japan"}, jobcarrier.Databricks())
	if err != nil {
		log.Print(err) // The run can be started without the context.
	}
	// The parameters are made once. With a token that Databricks knows, it returns the
	// run that it has, which has the context of the first call.
	run, err := w.Jobs.RunNow(ctx, jobs.RunNow{JobId: job, JobParameters: parameters, IdempotencyToken: "report-Japan-2018-02-07"})
	if err != nil {
		return 0, err
	}
	return run.RunId, nil
}

// submit starts a run without a job: the context is in the arguments of its task.
func submit(ctx context.Context, w *databricks.WorkspaceClient) (int64, error) {
	args := jobcarrier.InjectArgs(ctx, []string{"--region=Chile"}, jobcarrier.Databricks())
	run, err := w.Jobs.Submit(ctx, jobs.SubmitRun{RunName: "report", Tasks: []jobs.SubmitTask{{
		TaskKey:         "report",
		SparkPythonTask: &jobs.SparkPythonTask{PythonFile: "/Shared/script.py", Parameters: args},
	}}})
	if err != nil {
		return 0, err
	}
	return run.RunId, nil
}
