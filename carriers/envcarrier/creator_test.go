// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier_test

import (
	"testing"

	"github.com/waybill-go/waybill/carriers/envcarrier"
)

func TestReadCreatorFrom(t *testing.T) {
	t.Parallel()
	const other = "00-11111111111111111111111111111111-1111111111111111-01"
	for _, tt := range []struct {
		name    string
		environ []string
		want    string // The span, or empty.
	}{
		{name: "none", environ: []string{"TRACEPARENT=" + other, "TRACESTATE=a=1"}},
		{name: "creator", environ: []string{"WAYBILL_CREATOR=" + traceparent, "TRACEPARENT=" + other, "TRACESTATE=a=1"}, want: "b7ad6b7169203331"},
		{name: "last of two", environ: []string{"WAYBILL_CREATOR=" + other, "WAYBILL_CREATOR=" + traceparent}, want: "b7ad6b7169203331"},
		{name: "malformed", environ: []string{"WAYBILL_CREATOR=x", "TRACEPARENT=" + other}},
		{name: "lower case", environ: []string{"waybill_creator=" + traceparent}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sc := envcarrier.ReadCreatorFrom(tt.environ).SpanContext()
			if got := sc.SpanID().String(); sc.IsValid() != (tt.want != "") || sc.IsValid() && got != tt.want || sc.TraceState().Len() != 0 {
				t.Errorf("ReadCreatorFrom = %v with tracestate %q, want span %q", got, sc.TraceState(), tt.want)
			}
		})
	}
}

func TestReadCreator_ThisProcess(t *testing.T) {
	if got := envcarrier.ReadCreator(); got.SpanContext().IsValid() {
		t.Errorf("ReadCreator = %v, want none", got.SpanContext())
	}
	t.Setenv(envcarrier.CreatorVariable, traceparent)
	if got := envcarrier.ReadCreator().SpanContext().TraceID().String(); got != traceparent[3:35] {
		t.Errorf("ReadCreator = %s, want %s", got, traceparent[3:35])
	}
}
