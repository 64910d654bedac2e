// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

func main() {
	testing.Init()
	parts := flag.String("part", "carriers,calls,stages,throughput", "what to measure")
	rounds := flag.Int("rounds", 7, "how often each is measured")
	duration := flag.Duration("time", 100*time.Millisecond, "how long a benchmark runs each time")
	seconds := flag.Duration("seconds", time.Second, "how long a workload writes each time")
	flag.Parse()
	if err := flag.Set("test.benchtime", duration.String()); err != nil {
		panic(err)
	}
	configure()

	printMachine()
	if strings.Contains(*parts, "carriers") {
		inject, extract := carrierTasks()
		printTable("Put a context on a message", cells(inject), costs(inject, *rounds), formatCost)
		printTable("Take a context off a message", cells(extract), costs(extract, *rounds), formatCost)
	}
	if strings.Contains(*parts, "calls") {
		tasks := callTasks()
		printTable("Send a message in a span", cells(tasks), addedCosts(tasks, *rounds), formatCost)
		fmt.Print("\n" + callNotes)
		tasks = processTasks()
		printTable("Handle a message in a span", cells(tasks), costs(tasks, *rounds), formatCost)
	}
	if strings.Contains(*parts, "stages") {
		for _, table := range stageTables() {
			printTable(table.title, cells(table.tasks), costs(table.tasks, *rounds), formatCost)
			fmt.Print("\n" + table.notes)
		}
	}
	if strings.Contains(*parts, "throughput") {
		throughput("kfake", server.FakeKafka, *rounds, *seconds)
		throughput("Apache Kafka", server.Kafka, *rounds, *seconds)
	}
}

// configure makes W3C Trace Context the one format of every library, and keeps
// what dd-trace-go does beside tracing out of the way.
func configure() {
	otel.SetTextMapPropagator(traceContext)
	for key, value := range map[string]string{
		"DD_TRACE_PROPAGATION_STYLE":           "tracecontext",
		"DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
		"DD_REMOTE_CONFIGURATION_ENABLED":      "false",
		"DD_RUNTIME_METRICS_ENABLED":           "false",
	} {
		if err := os.Setenv(key, value); err != nil {
			panic(err)
		}
	}
}

// throughput measures the workloads with one broker.
func throughput(name string, start func(t testing.TB, topics ...string) *server.KafkaServer, rounds int, d time.Duration) {
	p := &program{}
	defer p.end()
	k := start(p)
	const messages = 50_000
	full := fill(p, k, messages)
	for _, w := range []workload{writeSingles(), writeBatches(), read(full, messages)} {
		var at []cell
		for _, v := range w.variants {
			at = append(at, cell{v.name, string(v.recording)})
		}
		printTable(name+": "+w.name, at, rates(p, k, w, rounds, d), formatRate)
	}
}
