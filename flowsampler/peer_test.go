// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowsampler_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"strconv"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowsampler"
)

// testdata/decisions.py says how the file was made.
func TestNew_DecidesAsTheSamplerOfOpenTelemetryForPython(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/decisions.csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		probability, err := strconv.ParseFloat(row[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		id, err := trace.TraceIDFromHex(row[1])
		if err != nil {
			t.Fatal(err)
		}
		link := trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: id, SpanID: trace.SpanID{1}, TraceState: stateOf(row[2]), Remote: true,
		})
		got := isSampled(must(flowsampler.New(probability)).ShouldSample(root(t.Context(), 0, link)))
		if want := row[3] == "true"; got != want {
			t.Errorf("a root linked to %s with %q is sampled with probability %g: %t, want %t", id, row[2], probability, got, want)
		}
	}
}
