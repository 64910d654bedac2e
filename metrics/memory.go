// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"bytes"
	"os"
	"runtime/metrics"
	"strconv"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// readMemory puts the memory of this process.
func readMemory(put put) {
	resident, ok := residentBytes()
	if !ok {
		resident = heldBytes()
	}
	put(series.Memory, resident)
}

// residentBytes returns the resident memory of this process as Linux reports it, in
// pages: the second number of /proc/self/statm, see proc(5).
func residentBytes() (float64, bool) {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return 0, false
	}
	return float64(pages) * float64(os.Getpagesize()), true
}

// heldBytes returns the memory that the Go runtime has obtained from the system and
// not returned.
func heldBytes() float64 {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	return float64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}
