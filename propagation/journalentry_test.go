// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

func journalSpan(id byte, flags trace.TraceFlags, isRemote bool) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{15: id}, SpanID: trace.SpanID{7: id}, TraceFlags: flags, Remote: isRemote})
}

func TestJournalEntry_JSON(t *testing.T) {
	t.Parallel()
	for name, entry := range map[string]propagation.JournalEntry{
		"empty": {},
		"a start below a remote parent of another trace": {
			Number: 3, Time: time.Date(2026, 1, 2, 15, 4, 5, 6, time.UTC), Action: propagation.JournalStart, Outcome: propagation.JournalOK,
			Call: "propagation.Start", Function: "main.work", File: "/src/worker.go", Line: 41,
			SpanContext: journalSpan(1, 0, false), Parent: journalSpan(2, trace.FlagsSampled, true), Extractions: []uint64{1, 2},
		},
		"an injection": {
			Action: propagation.JournalInject, Outcome: propagation.JournalAbsent, Detail: "ctx has no span", Carrier: "kafka",
			Keys: []string{"waybill"}, Propagator: []string{"traceparent", "tracestate"}, DefaultPropagator: true, LeftBaggage: true,
		},
		"an extraction": {Action: propagation.JournalExtract, SpanContext: journalSpan(1, trace.FlagsSampled, true), IsAmbiguous: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := json.Marshal(entry)
			if err != nil {
				t.Fatal(err)
			}
			var got propagation.JournalEntry
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(entry, got, cmp.Comparer(trace.SpanContext.Equal)); diff != "" {
				t.Errorf("%s read again (-want +got):\n%s", text, diff)
			}
		})
	}
}

func TestJournalEntry_JSON_MalformedIDs(t *testing.T) {
	t.Parallel()
	var got propagation.JournalEntry
	if err := json.Unmarshal([]byte(`{"trace_id":"zz","span_id":"01","parent_trace_id":"","sampled":true}`), &got); err != nil {
		t.Fatal(err)
	}
	if got.SpanContext.IsValid() || got.IsSampled() || got.Parent.IsValid() {
		t.Errorf("span context %+v of %+v, want none", got.SpanContext, got.Parent)
	}
	if err := json.Unmarshal([]byte(`{"line":"a"}`), &got); err == nil {
		t.Error("a line that is a text has no error")
	}
}

func FuzzJournalEntry_JSON(f *testing.F) {
	f.Add([]byte(`{"number":1,"action":"extract","trace_id":"00000000000000000000000000000001","span_id":"0000000000000001","sampled":true}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var entry, again propagation.JournalEntry
		if json.Unmarshal(text, &entry) != nil {
			return
		}
		written, err := json.Marshal(entry)
		if err != nil {
			return // A time that JSON has no form for.
		}
		if err := json.Unmarshal(written, &again); err != nil {
			t.Fatalf("%s cannot be read: %v", written, err)
		}
		if rewritten, _ := json.Marshal(again); string(rewritten) != string(written) {
			t.Errorf("read again: %s, want %s", rewritten, written)
		}
	})
}
