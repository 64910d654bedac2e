// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"encoding/json"
	"net/http"
	"sync"
)

// Fault is what a test breaks. Its value says how much.
type Fault string

// The faults of a source.
const (
	Rush   Fault = "rush"   // Rows a second, beyond the usual ones.
	Poison Fault = "poison" // Share of the rows that are invalid.
	Freeze Fault = "freeze" // The event time of the rows stands still.
	Ahead  Fault = "ahead"  // Seconds that the event time of the rows is in the future.
)

// The faults of a worker.
const (
	Fail    Fault = "fail"    // Share of the runs of all stages that fail.
	Slow    Fault = "slow"    // Seconds that a batch takes, beyond the usual ones.
	Hang    Fault = "hang"    // Loading does not return.
	Explode Fault = "explode" // Each row is rejected for a reason of its own.
	Hoard   Fault = "hoard"   // Bytes of memory that are held.
)

// faults are the faults of a process, by pipeline.
type faults struct {
	mu     sync.Mutex
	values map[fault]float64
}

type fault struct {
	pipeline string
	name     Fault
}

func (f *faults) get(pipeline string, name Fault) float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.values[fault{pipeline, name}]
}

// ServeHTTP sets the fault in the path to the value in the body.
func (f *faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var value float64
	if err := json.NewDecoder(r.Body).Decode(&value); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.values == nil {
		f.values = make(map[fault]float64)
	}
	f.values[fault{r.PathValue("pipeline"), Fault(r.PathValue("fault"))}] = value
	w.WriteHeader(http.StatusNoContent)
}
