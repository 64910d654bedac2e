// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// exampleContext returns a ctx with a span, as a handler has it.
func exampleContext() context.Context {
	return trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
}

// traceContext leaves out the waybill, whose times would differ at each run.
var traceContext = jobcarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))

func ExampleInject() {
	params, err := jobcarrier.Inject(exampleContext(), map[string]string{"day": "2026-02-03"}, traceContext, jobcarrier.Databricks())
	if err != nil {
		fmt.Println(err) // the run can be started without the context.
	}
	fmt.Println(params) // and then w.Jobs.RunNow(ctx, jobs.RunNow{JobId: id, JobParameters: params}).
	// Output: map[day:2026-02-03 traceparent:00-01000000000000000000000000000000-0200000000000000-01]
}

func ExampleInjectArgs() {
	args := jobcarrier.InjectArgs(exampleContext(), []string{"--day", "2026-02-03"}, traceContext)
	fmt.Println(strings.Join(args, "\n"))
	// Output:
	// --day
	// 2026-02-03
	// --traceparent=00-01000000000000000000000000000000-0200000000000000-01
}

func ExampleInjectConf() {
	conf, err := jobcarrier.InjectConf(exampleContext(), map[string]any{"rows": 10}, traceContext)
	if err != nil {
		fmt.Println(err)
	}
	body, err := json.MarshalIndent(map[string]any{"logical_date": nil, "conf": conf}, "", "  ")
	fmt.Println(string(body), err)
	// Output:
	// {
	//   "conf": {
	//     "airflow/dagrun_parent_trace_context": {
	//       "traceparent": "00-01000000000000000000000000000000-0200000000000000-01"
	//     },
	//     "rows": 10,
	//     "traceparent": "00-01000000000000000000000000000000-0200000000000000-01"
	//   },
	//   "logical_date": null
	// } <nil>
}

func ExampleExtract() {
	params := map[string]string{"traceparent": "00-01000000000000000000000000000000-0200000000000000-01"}
	ctx := jobcarrier.Extract(context.Background(), params)
	fmt.Println(trace.SpanContextFromContext(ctx).SpanID())
	// Output: 0200000000000000
}

func ExampleRead() {
	fmt.Println(jobcarrier.Read(map[string]string{"day": "2026-02-03"}).Err())
	// Output: the carrier holds no trace context
}

func ExampleExtractArgs() {
	args := []string{"--traceparent=00-01000000000000000000000000000000-0200000000000000-01"} // os.Args[1:]
	ctx := jobcarrier.ExtractArgs(context.Background(), args)
	fmt.Println(trace.SpanContextFromContext(ctx).SpanID())
	// Output: 0200000000000000
}

func ExampleReadArgs() {
	remote := jobcarrier.ReadArgs([]string{"--traceparent={{job.parameters.traceparent}}"})
	fmt.Println(remote.Err()) // the job does not define the parameter.
	// Output: malformed traceparent: shorter than 55 bytes
}

func ExampleTakeArgs() {
	args := []string{"--day=2026-02-03", "--traceparent=00-01000000000000000000000000000000-0200000000000000-01"} // os.Args[1:]
	remote, args := jobcarrier.TakeArgs(args)
	day := flag.String("day", "", "the day to report")
	if err := flag.CommandLine.Parse(args); err != nil { // which refuses flags that it does not know.
		fmt.Println(err)
	}
	fmt.Println(*day, remote.SpanContext().SpanID())
	// Output: 2026-02-03 0200000000000000
}

func ExampleExtractConf() {
	conf := map[string]any{"traceparent": "00-01000000000000000000000000000000-0200000000000000-01", "rows": 10}
	ctx := jobcarrier.ExtractConf(context.Background(), conf)
	fmt.Println(trace.SpanContextFromContext(ctx).SpanID())
	// Output: 0200000000000000
}

func ExampleReadConf() {
	fmt.Println(jobcarrier.ReadConf(map[string]any{"traceparent": "none"}).Err())
	// Output: malformed traceparent: shorter than 55 bytes
}

func ExampleDatabricks() {
	params := map[string]string{"query": strings.Repeat("x", 9_990)}
	_, err := jobcarrier.Inject(exampleContext(), params, jobcarrier.Databricks())
	fmt.Println(errors.Is(err, jobcarrier.ErrTooLarge))
	// Output: true
}

func ExampleDatabricksEnv() {
	environ, err := jobcarrier.Inject(exampleContext(), nil, traceContext, jobcarrier.DatabricksEnv())
	fmt.Println(environ, err) // and then compute.ClusterSpec{SparkEnvVars: environ, ...}.
	// Output: map[TRACEPARENT:00-01000000000000000000000000000000-0200000000000000-01] <nil>
}

func ExampleAirflow() {
	conf, err := jobcarrier.Inject(exampleContext(), nil, traceContext, jobcarrier.Airflow())
	fmt.Println(slices.Sorted(maps.Keys(conf)), err)
	// Output: [airflow/dagrun_parent_trace_context traceparent] <nil>
}

func ExampleSpark() {
	properties, err := jobcarrier.Inject(exampleContext(), nil, traceContext, jobcarrier.Spark())
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		fmt.Println("--conf", name+"=...")
	}
	fmt.Println(err)
	// Output:
	// --conf spark.executorEnv.TRACEPARENT=...
	// --conf spark.kubernetes.driverEnv.TRACEPARENT=...
	// --conf spark.waybill.traceparent=...
	// --conf spark.yarn.appMasterEnv.TRACEPARENT=...
	// <nil>
}

func ExampleArgo() {
	params, err := jobcarrier.Inject(exampleContext(), nil, traceContext, jobcarrier.Argo())
	for name, value := range params {
		fmt.Println("-p", name+"="+value)
	}
	fmt.Println(err)
	// Output:
	// -p traceparent=00-01000000000000000000000000000000-0200000000000000-01
	// <nil>
}

func ExampleGlue() {
	arguments, err := jobcarrier.Inject(exampleContext(), map[string]string{"--day": "mon"}, traceContext, jobcarrier.Glue())
	fmt.Println(arguments["--traceparent"], err)
	// Output: 00-01000000000000000000000000000000-0200000000000000-01 <nil>
}

func ExamplePrefect() {
	labels, err := jobcarrier.Inject(exampleContext(), nil, traceContext, jobcarrier.Prefect())
	fmt.Println(labels["__OTEL_TRACEPARENT"], err)
	// Output: 00-01000000000000000000000000000000-0200000000000000-01 <nil>
}

func ExampleDagster() {
	tags, err := jobcarrier.Inject(exampleContext(), map[string]string{"team": "seismology"}, traceContext, jobcarrier.Dagster())
	fmt.Println(tags["traceparent"], err)
	// Output: 00-01000000000000000000000000000000-0200000000000000-01 <nil>
}

func ExampleParameterDefinitions() {
	definitions, err := json.Marshal(jobcarrier.ParameterDefinitions(traceContext)) // of the job, once.
	fmt.Println(string(definitions), err)
	// Output: [{"default":"","name":"traceparent"},{"default":"","name":"tracestate"}] <nil>
}

func ExampleParameterDefinition_Reference() {
	for _, definition := range jobcarrier.ParameterDefinitions(traceContext) {
		fmt.Printf("--%s=%s\n", definition.Name, definition.Reference()) // of a Python script task.
	}
	// Output:
	// --traceparent={{job.parameters.traceparent}}
	// --tracestate={{job.parameters.tracestate}}
}

func ExampleWithErrorOnConflict() {
	params := map[string]string{"traceparent": "mine"}
	_, err := jobcarrier.Inject(exampleContext(), params, jobcarrier.WithErrorOnConflict())
	fmt.Println(err)
	// Output: jobcarrier: the parameters already hold a trace context
}

func ExampleCarrier() {
	params := map[string]string{"day": "2026-02-03"} // which this changes, unlike Inject.
	propagation.InjectTextMap(exampleContext(), jobcarrier.Carrier(params), propagation.WithPropagator(propagation.TraceContext{}))
	fmt.Println(params)
	// Output: map[day:2026-02-03 traceparent:00-01000000000000000000000000000000-0200000000000000-01]
}

func ExampleWithPropagation() {
	params := map[string]string{
		"traceparent": "00-01000000000000000000000000000000-0200000000000000-01",
		"baggage":     "tenant=7,user=42",
	}
	tenant := jobcarrier.WithPropagation(propagation.WithBaggage("tenant"))
	fmt.Println(jobcarrier.Read(params, tenant).Baggage())
	// Output: tenant=7
}

// printer is an observer that prints; package metrics has one that counts.
type printer struct{}

func (printer) Dropped(d observe.Drop) { fmt.Println("left out:", d.Reason) }

func ExampleWithObserver() {
	ctx := jobcarrier.Extract(context.Background(), map[string]string{
		"traceparent": "00-01000000000000000000000000000000-0200000000000000-01",
		"tracestate":  "evil=$(touch /tmp/x)",
	})
	params, err := jobcarrier.Inject(ctx, nil, traceContext, jobcarrier.WithObserver(printer{}))
	fmt.Println(params, err)
	// Output:
	// left out: unsafe_value
	// map[traceparent:00-01000000000000000000000000000000-0200000000000000-01] <nil>
}
