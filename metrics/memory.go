// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"bytes"
	"os"
	"runtime/metrics"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// newMemory makes the gauge of the memory of this process, read when it is
// scraped.
func newMemory(c config) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        c.name(memoryBytes),
		Help:        "Memory of this process that is resident; outside of Linux, memory the Go runtime holds.",
		ConstLabels: c.constLabels,
	}, func() float64 {
		if resident, ok := residentBytes(); ok {
			return resident
		}
		return heldBytes()
	})
}

// residentBytes reads the resident pages of this process as Linux reports
// them: the second number of /proc/self/statm, see proc(5).
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

// heldBytes returns the memory the Go runtime has from the system and has not
// given back.
func heldBytes() float64 {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	return float64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}
