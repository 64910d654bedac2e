// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"

	"github.com/waybill-go/waybill/internal/flow"
)

// The names of the faults that --break plants. Where a service asks whether one is
// planted, the code that follows is the fault.
const (
	faultInject     = "inject"
	faultBackground = "background"
	faultStale      = "stale"
	faultJob        = "job"
	faultEnd        = "end"
)

// fault is a mistake in a service, and what waybill doctor should find.
type fault struct {
	name    string
	mistake string
	place   string // The function with the mistake.

	id       string // Of the finding.
	from, to string // The spans between which the flow broke; from may be empty.
}

var faults = []fault{
	{
		name: faultInject, mistake: "ingest publishes messages without a context", place: "ingest, in ingest.go",
		id: "P02", from: "ingest create quakes.raw", to: "clean process quakes.raw",
	},
	{
		name: faultBackground, mistake: "clean handles messages with context.Background()", place: "cleaner.clean, in clean.go",
		id: "P19", from: "clean process quakes.raw", to: "clean transform",
	},
	{
		name: faultStale, mistake: "clean retries messages with the headers they came with", place: "cleaner.retry, in faults.go",
		id: "P11", from: "clean send quakes.raw", to: "clean process quakes.raw",
	},
	{
		name: faultJob, mistake: "dispatch creates Jobs without a context in their environment", place: "bareJobs.Create, in faults.go",
		id: "P01", from: "dispatch create job", to: "assess assess",
	},
	{
		name: faultEnd, mistake: "assess starts a span and never ends it", place: "assess, in assess.go",
		id: "P03", to: "assess summarise",
	},
}

// faultNamed returns the fault called name, or an error that lists all.
func faultNamed(name string) (fault, error) {
	i := slices.IndexFunc(faults, func(f fault) bool { return f.name == name })
	if i < 0 {
		var names []string
		for _, f := range faults {
			names = append(names, f.name)
		}
		return fault{}, fmt.Errorf("--break %q is not one of %s", name, enumerate(names))
	}
	return faults[i], nil
}

// faulty reports whether the fault called name is planted in this service.
func faulty(name string) bool { return setting(envBreak) == name }

// is reports whether found is what should be found of f.
func (f fault) is(found flow.Finding, graph *flow.Graph) bool {
	named := func(i int, name string) bool { return i < 0 && name == "" || i >= 0 && graph.Spans()[i].Is(name) }
	return found.ID == f.id && named(found.From, f.from) && named(found.To, f.to)
}

// headerAttempt is the header of a message that is retried.
const headerAttempt = "attempt"

// fails reports whether the first attempt to handle msg fails.
func fails(msg kafka.Message) bool {
	retried := slices.ContainsFunc(msg.Headers, func(h kafka.Header) bool { return h.Key == headerAttempt })
	return !retried && msg.Offset%10 == 0
}

// retry publishes msg again, as programs do with a plain Writer: the copy has the
// headers of msg, and with them the context of an earlier hop. kafkacarrier.Forward
// would replace it.
func (c *cleaner) retry(ctx context.Context, msg kafka.Message) error {
	headers := append(slices.Clip(msg.Headers), kafka.Header{Key: headerAttempt, Value: []byte("2")})
	return c.bare.WriteMessages(ctx, kafka.Message{Topic: msg.Topic, Key: msg.Key, Value: msg.Value, Headers: headers})
}

// bareJobs creates Jobs as programs do that have a span of their own for it: the
// environment of the pods has no context. k8scarrier.NewJobs would add it.
type bareJobs struct{ batchclient.JobInterface }

// Create implements [batchclient.JobInterface].
func (j bareJobs) Create(ctx context.Context, job *batchv1.Job, opts metav1.CreateOptions) (*batchv1.Job, error) {
	ctx, span := otel.Tracer("quakes").Start(ctx, "create job", trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attribute.String("k8s.job.name", job.Name)))
	defer span.End()
	return j.JobInterface.Create(ctx, job, opts)
}
