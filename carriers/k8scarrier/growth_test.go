// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
)

// Quadratic work would take a minute.
func TestUnescape_IsLinear(t *testing.T) {
	t.Parallel()
	start := time.Now()
	for _, piece := range []string{"$(", "$", "$$(", "$(A)", "$)(", "$($(", "$$$(", ")$("} {
		k8scarrier.Unescape("$$" + strings.Repeat(piece, 1<<20/len(piece)))
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

// What no process can be started with is not read.
func TestEnvSetter_GetOfTooLongAValue(t *testing.T) {
	t.Parallel()
	const longest = 128<<10 - 1
	for size, want := range map[int]int{longest: longest, 2 * longest: longest, 2*longest + 1: 0, 4 << 20: 0} {
		value := strings.Repeat("a", size)
		if size > longest {
			value = strings.Repeat("$", size)
		}
		env := []corev1.EnvVar{{Name: "TRACESTATE", Value: value}}
		if got := len(k8scarrier.EnvSetter{}.Get(&env, "tracestate")); got != want {
			t.Errorf("%d bytes are read of %d, want %d", got, size, want)
		}
	}
}
