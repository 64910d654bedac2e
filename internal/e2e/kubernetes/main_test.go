// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/internal/e2e/server"
	"github.com/waybill-go/waybill/job"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// asJob makes this program the one that a Job runs.
const asJob = "E2E_JOB"

func TestMain(m *testing.M) {
	if what := os.Getenv(asJob); what != "" {
		runJob(what)
		return
	}
	os.Exit(m.Run())
}

// report is what the program of a Job says of itself.
type report struct {
	TraceID, SpanID, Parent string
	Links                   []string // Span ids.
	Attributes, Resource    map[string]string
	Baggage                 string
	Job                     envcarrier.JobInfo
}

// runJob is the main function of the program that a Job runs: package job does the work.
func runJob(what string) {
	spans := tracetest.NewInMemoryExporter()
	info, _ := envcarrier.KubernetesJob()
	described, err := resource.New(context.Background(), resource.WithFromEnv())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans), sdktrace.WithResource(described))
	p := stages.Must(stages.NewPipeline("nightly", stages.WithTracerProvider(provider)))
	r := report{Job: info, Attributes: map[string]string{}, Resource: map[string]string{}}
	print := func(context.Context) error {
		span := spans.GetSpans()[0]
		r.TraceID, r.SpanID = span.SpanContext.TraceID().String(), span.SpanContext.SpanID().String()
		if span.Parent.IsValid() {
			r.Parent = span.Parent.SpanID().String()
		}
		for _, link := range span.Links {
			r.Links = append(r.Links, link.SpanContext.SpanID().String())
		}
		for _, a := range span.Attributes {
			r.Attributes[string(a.Key)] = a.Value.String()
		}
		for _, a := range span.Resource.Attributes() {
			r.Resource[string(a.Key)] = a.Value.String()
		}
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	job.Main(p, func(ctx context.Context) error {
		r.Baggage = baggage.FromContext(ctx).String()
		switch what {
		case "fails":
			return errors.New("no amount")
		case "prepares":
			return envcarrier.WriteFile(ctx, "context", envcarrier.WithPropagation(propagation.WithBaggage("user", "path", "odd")))
		default:
			return nil
		}
	}, job.WithRunOptions(stages.WithFlush(print)), job.WithPropagation(propagation.WithBaggage("user", "path", "odd")))
}

// cluster is a control plane with a kubelet.
type cluster struct {
	*kubelet

	client *kubernetes.Clientset
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	plane := server.Kubernetes(t)
	client, err := kubernetes.NewForConfig(&rest.Config{
		Host: plane.URL, BearerToken: plane.Token, TLSClientConfig: rest.TLSClientConfig{Insecure: true}, QPS: 200, Burst: 400,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{kubelet: startKubelet(t, client), client: client}
}

// patience is how long the controllers may take.
const patience = time.Minute

// reports waits until the containers of pods whose names begin with name have made n
// reports, and returns them in the order of their pods' names.
func (c *cluster) reports(t *testing.T, name string, n int) []report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		c.mu.Lock()
		outputs, printed := slices.Clone(c.outputs), c.printed
		c.mu.Unlock()
		reports, names := reportsOf(t, outputs, name)
		if len(reports) >= n {
			return reports
		}
		select {
		case <-printed:
		case <-ctx.Done():
			t.Fatalf("%d reports of %s, want %d: %v", len(reports), name, n, names)
		}
	}
}

// reportsOf returns the reports in outputs of pods whose names begin with name, in the
// order of these, and the names.
func reportsOf(t *testing.T, outputs []output, name string) (reports []report, names []string) {
	t.Helper()
	slices.SortStableFunc(outputs, func(a, b output) int { return strings.Compare(a.pod.Name, b.pod.Name) })
	for _, o := range outputs {
		if !strings.HasPrefix(o.pod.Name, name+"-") {
			continue
		}
		var r report
		if err := json.Unmarshal([]byte(o.text), &r); err != nil {
			t.Fatalf("%s printed %q: %v", o.pod.Name, o.text, err)
		}
		reports, names = append(reports, r), append(names, o.pod.Name)
	}
	return reports, names
}

// tracer returns a tracer and its spans.
func tracer() (*sdktrace.TracerProvider, *tracetest.SpanRecorder) {
	spans := tracetest.NewSpanRecorder()
	return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)), spans
}

// inSpan returns a ctx with a span, and its id.
func inSpan(t *testing.T) (ctx context.Context, id string) {
	t.Helper()
	provider, _ := tracer()
	ctx, span := provider.Tracer("e2e").Start(t.Context(), "dispatch")
	t.Cleanup(func() { span.End() })
	return ctx, trace.SpanContextFromContext(ctx).SpanID().String()
}
