// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package alloctest_test

import (
	"testing"

	"github.com/waybill-go/waybill/internal/alloctest"
)

// kept keeps the compiler from leaving an allocation out.
var kept []byte

func TestPerRun(t *testing.T) {
	for size, want := range map[int]int{0: 0, 1 << 10: 1, 64 << 10: 1} {
		count, bytes := alloctest.PerRun(func() { kept = make([]byte, size) })
		if count != want || bytes < size || bytes > size+64 {
			t.Errorf("%d allocations of %d bytes, want %d of %d", count, bytes, want, size)
		}
	}
}
