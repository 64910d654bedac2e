// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/internal/program"
	"github.com/waybill-go/waybill/flowtest"
)

func TestJobContinuesTheFlowOfWhoStartsIt(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	ctx, span := f.Service("api").Tracer("test").Start(f.Context(), "create job", trace.WithSpanKind(trace.SpanKindProducer))

	cmd := exec.CommandContext(ctx, program.Build(t))
	cmd.Env = append(os.Environ(), f.Env(ctx, "orders-job")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the job ended with %v:\n%s", err, out)
	}
	span.End()

	fl := f.Wait(30*time.Second, "orders-job load-orders", "orders-job read orders")
	fl.RequireConnected()
	fl.RequireNoFindings()
	fl.RequirePath("api create job", "orders-job load-orders", "orders-job read orders")
	fl.Golden("testdata/job.flow")
}
