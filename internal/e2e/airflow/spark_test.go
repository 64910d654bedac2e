// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build airflow

package airflow_test

import (
	"context"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

// The driver reads spark.waybill.KEY and the arguments, the Python worker of an
// executor its environment. All are children of the span that submits the application,
// although the environment that it is submitted in holds another context.
func TestSpark(t *testing.T) {
	for name, master := range map[string]string{
		"executor in the driver":        "local[1]",
		"executor in its own processes": "local-cluster[1,1,1024]",
	} {
		t.Run(name, func(t *testing.T) {
			f := flowtest.New(t)
			shop := f.Service("shop").Tracer("test")
			stale, other := shop.Start(f.Context(), "other")
			other.End()
			ctx, span := shop.Start(withTenant(f.Context(), t), "submit report")
			submit(ctx, t, master, f.Env(stale, "driver"))
			span.End()

			jobs := []string{"driver report", "driver report by arguments", "executor count"}
			r := f.Wait(10*time.Second, jobs...)
			for _, name := range jobs {
				job := r.Span(name).Times(1).ChildOf("shop submit report").LinkedTo("shop submit report").Remote()
				job.Attr("waybill.extract", "ok").Attr("etl.outcome", "success").Attr("test.tenant", tenant)
				w, err := propagation.ParseWaybill(valueOf(r, name, "test.waybill").AsString())
				if err != nil || w.Hops != 2 {
					t.Errorf("%s passes on the waybill %v, error %v; want one with 2 hops", name, w, err)
				}
			}
			r.Span("driver report").Attr("test.rows", 10)
			r.Span("driver report by arguments").Attr("test.day", "mon")
			r.RequireNoFindings()
			driver, worker := valueOf(r, "driver report", "test.pid"), valueOf(r, "executor count", "test.pid")
			if driver == worker {
				t.Errorf("the rows were counted in the driver, process %d; want a worker", driver.AsInt64())
			}
		})
	}
}

// submit runs the application to its end.
func submit(ctx context.Context, t *testing.T, master string, env []string) {
	t.Helper()
	properties, err := jobcarrier.Inject(ctx, map[string]string{"spark.ui.enabled": "false"}, jobcarrier.Spark(), carried)
	if err != nil {
		t.Fatal(err)
	}
	interpreter := python(t, "spark")
	args := []string{"--master", master}
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		args = append(args, "--conf", key+"="+properties[key])
	}
	args = append(args, absolute(t, "spark/report.py"))
	args = append(args, jobcarrier.InjectArgs(ctx, []string{"--day", "mon"}, jobcarrier.Spark(), carried)...)

	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(interpreter), "spark-submit"), args...)
	cmd.Env = slices.Concat(cmd.Environ(), env, []string{
		pythonPath(t), "PYSPARK_PYTHON=" + interpreter, "PYSPARK_DRIVER_PYTHON=" + interpreter,
		"SPARK_LOCAL_IP=127.0.0.1", "SPARK_LOCAL_DIRS=" + t.TempDir(),
	})
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("spark-submit: %v\n%s", err, out)
	}
}
