// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
)

func inSpan() context.Context {
	return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
}

// A DAG run of Airflow: the body of POST /api/v2/dags/DAG/dagRuns.
func Example_airflow() {
	ctx := inSpan()

	conf, err := jobcarrier.InjectConf(ctx, map[string]any{"rows": 10}, jobcarrier.Airflow())
	if err != nil {
		log.Print(err) // The run can be started without the context.
	}
	body, err := json.Marshal(map[string]any{"logical_date": nil, "conf": conf})
	fmt.Println(strings.Contains(string(body), `"traceparent":"00-01000000000000000000000000000000-0200000000000000-01"`), err)
	// Output: true <nil>
}

// A Spark application: a --conf for each property.
func Example_spark() {
	ctx := inSpan()
	properties, err := jobcarrier.Inject(ctx, nil, jobcarrier.Spark())
	if err != nil {
		log.Print(err)
	}
	args := []string{"--master", "yarn"}
	for name, value := range properties {
		args = append(args, "--conf", name+"="+value)
	}
	fmt.Println(len(args) > 2, properties["spark.waybill.traceparent"])
	// Output: true 00-01000000000000000000000000000000-0200000000000000-01
}

// A job of AWS Glue: the arguments of StartJobRun.
func Example_glue() {
	ctx := inSpan()
	arguments, err := jobcarrier.Inject(ctx, map[string]string{"--day": "mon"}, jobcarrier.Glue())
	fmt.Println(arguments["--traceparent"], err)
	// Output: 00-01000000000000000000000000000000-0200000000000000-01 <nil>
}
