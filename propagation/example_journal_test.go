// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/propagation"
)

// place prints where and how the calls of entries ended.
func place(entries []propagation.JournalEntry) {
	for _, e := range entries {
		fmt.Println(path.Base(e.File), e.Call, e.Action, e.Outcome, e.Detail)
	}
}

// A test finds the injection that wrote nothing.
func ExampleJournal() {
	var j propagation.Journal
	ctx := propagation.ContextWithJournal(context.Background(), &j)

	propagation.Map(ctx, defaults) // The code under test has forgotten its span.

	place(j.Entries())
	// Output:
	// example_journal_test.go propagation.Map inject absent ctx has no span
}

func ExampleJournal_Entries() {
	var j propagation.Journal
	propagation.Map(sending(), defaults, propagation.WithJournal(&j))
	for _, e := range j.Entries() {
		fmt.Println(e.Carrier, e.Keys, "sampled:", e.IsSampled())
	}
	// Output:
	// map[string]string [traceparent waybill tracestate baggage] sampled: true
}

func ExampleJournal_Dropped() {
	var j propagation.Journal
	for range 10_050 {
		propagation.Encode(context.Background(), defaults, propagation.WithJournal(&j))
	}
	fmt.Println(len(j.Entries()), "kept,", j.Dropped(), "dropped")
	// Output:
	// 10000 kept, 50 dropped
}

// A test helper sees the calls of code that is not given its context.
func ExampleJournal_RecordAll() {
	var j propagation.Journal
	stop := j.RecordAll()
	defer stop()

	propagation.Map(context.Background(), defaults)

	for _, e := range j.Entries() {
		fmt.Println(e.Call, e.Outcome, "stray:", e.Stray)
	}
	// Output:
	// propagation.Map absent stray: true
}

func ExampleContextWithJournal() {
	var j propagation.Journal
	ctx := propagation.ContextWithJournal(context.Background(), &j)
	tracer := sdktrace.NewTracerProvider().Tracer("orders")

	carrier := map[string]string{"uber-trace-id": "5b8aa5a2d2c872e8321cf37308d69df2:5fb397be34d26b51:0:1"}
	remote := propagation.Read(carrier, propagation.GetterFunc[map[string]string](func(c map[string]string, key string) string { return c[key] }), defaults)
	_, span := propagation.Start(ctx, tracer, "process order", []propagation.Remote{remote})
	defer span.End()

	place(j.Entries())
	// Output:
	// example_journal_test.go propagation.Read extract foreign Jaeger
	// example_journal_test.go propagation.Start start foreign Jaeger
}

func ExampleWithJournal() {
	var j propagation.Journal
	carrier := map[string]string{"traceparent": traceparentText[:54]}
	getter := propagation.GetterFunc[map[string]string](func(c map[string]string, key string) string { return c[key] })

	propagation.Extract(context.Background(), carrier, getter, defaults, propagation.WithJournal(&j))

	place(j.Entries())
	// Output:
	// example_journal_test.go propagation.Extract extract malformed traceparent: shorter than 55 bytes
}

// Code that only looks whether there is a context leaves no entry.
func ExampleWithoutJournal() {
	var j propagation.Journal
	ctx := propagation.ContextWithJournal(sending(), &j)

	size := propagation.Encode(ctx, defaults, propagation.WithoutJournal()).Size()

	fmt.Println(size > 0, len(j.Entries()))
	// Output:
	// true 0
}

func ExampleJournalEntry_String() {
	e := propagation.JournalEntry{
		Action: propagation.JournalInject, Outcome: propagation.JournalAbsent, Detail: "ctx has no span",
		Call: "kafkacarrier.Inject", File: "/src/shop/orders.go", Line: 41,
	}
	fmt.Println(e)
	// Output:
	// kafkacarrier.Inject at orders.go:41: inject absent: ctx has no span
}

func ExampleJournalEntry_IsSampled() {
	var j propagation.Journal
	propagation.Map(sending(), defaults, propagation.WithJournal(&j))
	fmt.Println(j.Entries()[0].IsSampled())
	// Output:
	// true
}

func ExampleJournalEntry_MarshalJSON() {
	text, err := json.Marshal(propagation.JournalEntry{
		Action: propagation.JournalExtract, Outcome: propagation.JournalForeign, Detail: "B3",
		Call: "kafkacarrier.Extract", File: "/src/shop/worker.go", Line: 20, Carrier: "kafka", Keys: []string{"b3"},
	})
	fmt.Println(string(text), err)
	// Output:
	// {"time":"0001-01-01T00:00:00Z","action":"extract","outcome":"foreign","detail":"B3","call":"kafkacarrier.Extract","file":"/src/shop/worker.go","line":20,"carrier":"kafka","keys":["b3"]} <nil>
}

// A line of the file that WAYBILL_JOURNAL names is an entry.
func ExampleJournalEntry_UnmarshalJSON() {
	line := `{"pid":7,"action":"extract","outcome":"malformed","detail":"traceparent: shorter than 55 bytes","call":"kafkacarrier.Extract","file":"/src/shop/worker.go","line":20}`
	var e propagation.JournalEntry
	err := json.Unmarshal([]byte(line), &e)
	fmt.Println(e, err)
	// Output:
	// kafkacarrier.Extract at worker.go:20: extract malformed: traceparent: shorter than 55 bytes <nil>
}
