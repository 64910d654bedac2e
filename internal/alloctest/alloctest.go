// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package alloctest measures in tests what a function allocates.
package alloctest

import "runtime"

// PerRun returns how often f allocates in one call, and how many bytes, on average
// over many calls. What other goroutines allocate meanwhile counts too, so the test
// must not be parallel.
func PerRun(f func()) (count, bytes int) {
	const runs = 100
	var before, after runtime.MemStats
	f()
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return int(after.Mallocs-before.Mallocs) / runs, int(after.TotalAlloc-before.TotalAlloc) / runs
}
