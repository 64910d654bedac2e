// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"path"
	"runtime"
	"strconv"
	"strings"
)

// callsite returns the first of calls that is not one of OpenTelemetry or of this module,
// as "orders/producer.go:41", or "" if there is none.
func callsite(calls []uintptr) string {
	frames := runtime.CallersFrames(calls)
	for {
		frame, more := frames.Next()
		if frame.File != "" && !isLibrary(&frame) {
			folder, file := path.Split(frame.File)
			return path.Join(path.Base(folder), file) + ":" + strconv.Itoa(frame.Line)
		}
		if !more {
			return ""
		}
	}
}

// isLibrary reports whether frame is a function of OpenTelemetry, of this module, or of
// Go itself. The tests and the programs of this module are the code under test.
func isLibrary(frame *runtime.Frame) bool {
	name, ours := strings.CutPrefix(frame.Function, "github.com/waybill-go/waybill/")
	switch {
	case strings.HasSuffix(frame.File, "_test.go"):
		return false
	case ours:
		return !strings.HasPrefix(name, "examples/") && !strings.HasPrefix(name, "internal/e2e/")
	default:
		return strings.HasPrefix(name, "go.opentelemetry.io/") || strings.HasPrefix(name, "runtime.")
	}
}
