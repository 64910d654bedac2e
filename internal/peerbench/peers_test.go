// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	configure()
	os.Exit(m.Run())
}

func TestEveryCarrierWritesTheSame(t *testing.T) {
	for _, c := range carriers() {
		if c.inject == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			op, written := c.inject(requestContext(), others(4), 3)
			op()
			op() // Each op has new messages.
			got := written()
			if !slices.Equal(got[:4], others(4)) {
				t.Errorf("the headers of the application are %v", got[:4])
			}
			if got[4] != (header{"traceparent", traceparent}) {
				t.Errorf("the context is %v", got[4])
			}
			if wantMore := strings.HasSuffix(c.name, "Default"); wantMore != (len(got) == 6) || len(got) > 6 {
				t.Errorf("there are %d headers: %v", len(got), got)
			}
		})
	}
}

func TestEveryCarrierReadsTheSame(t *testing.T) {
	for _, c := range carriers() {
		if c.extract == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if c.prepare != nil {
				defer c.prepare()()
			}
			op, traceID := c.extract(context.Background(), sent(4), 3)
			op()
			if got := traceID(); got != traceparent[3:35] {
				t.Errorf("the trace is %q, want %q", got, traceparent[3:35])
			}
		})
	}
}

func TestEveryCallSendsAContextOfItsOwn(t *testing.T) {
	for _, c := range callers() {
		for _, r := range recordings {
			t.Run(c.name+", "+string(r), func(t *testing.T) {
				ctx, done := c.start(r)
				defer done()
				send, written := c.send(ctx)
				if err := send(); err != nil {
					t.Fatal(err)
				}
				got := written()
				if !slices.Equal(got[:4], others(4)) {
					t.Errorf("the headers of the application are %v", got[:4])
				}
				wanted := 5
				if r == noProvider || c.name == plainCalls { // By hand, too, the context of nobody is not written.
					wanted = 4
				}
				// Two libraries write a tracestate besides.
				more := slices.DeleteFunc(got[4:], func(h header) bool { return h.key == "tracestate" })
				if len(more) != wanted-4 {
					t.Fatalf("the headers are %v", got)
				}
				if wanted == 5 {
					flags := map[recording]string{unsampled: "-00", sampled: "-01"}[r]
					if more[0].key != "traceparent" || !strings.HasSuffix(more[0].value, flags) {
						t.Errorf("the context is %v", more[0])
					}
				}
			})
		}
	}
}

// Each call of the tables works, and a call of waybill allocates at most once more
// than the same by hand.
func TestEveryStageTableRuns(t *testing.T) {
	for _, table := range stageTables() {
		byHandAllocates := map[string]float64{}
		for _, task := range table.tasks {
			op, done := task.setup()
			op()
			got := testing.AllocsPerRun(100, op)
			done()
			switch task.row {
			case byHand, bare, "OpenTelemetry by hand, span only":
				byHandAllocates[task.column] = got
			case "waybill", "waybill, span only", "waybill, New", "waybill, NewOTel":
				if task.column == "range over 100 rows" {
					got /= 100 // For a row.
				}
				if limit := byHandAllocates[task.column] + 1; got > limit {
					t.Errorf("%s: %s, %s: %v allocations, want at most %v", table.title, task.row, task.column, got, limit)
				}
			}
		}
	}
}
