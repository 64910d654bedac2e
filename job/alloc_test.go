// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package job_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/job"
	"github.com/waybill-go/waybill/propagation"
)

// A job that starts finds its context in fewer than 20 allocations, wherever it is, with
// an environment and arguments as jobs have them: what is measured, all below the limit.
func TestRead_Allocations(t *testing.T) {
	for i := range 200 {
		t.Setenv("WAYBILL_TEST_"+strconv.Itoa(i), "value")
	}
	args := os.Args
	t.Cleanup(func() { os.Args = args })
	annotations := filepath.Join(t.TempDir(), "annotations")
	applied := "kubectl.kubernetes.io/last-applied-configuration=\"" + strings.Repeat("x", 10_000) + "\"\n"
	if err := os.WriteFile(annotations, []byte(applied+annotation+"tracing.k8s.io/tracestate=\"a=1,b=2\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var remote propagation.Remote
	for _, tt := range []struct {
		name  string
		value string   // Of TRACEPARENT.
		args  []string // After the name of the program.
		opts  []job.ReadOption
		most  float64
		found bool
	}{
		{name: "environment", value: traceParent, most: 6, found: true},
		{name: "arguments", args: []string{"--day", "1", "--traceparent=" + traceParent, "--tracestate=a=1,b=2", "orders.csv"}, most: 6, found: true},
		{name: "annotations", opts: []job.ReadOption{job.WithAnnotations(annotations, "")}, most: 15, found: true},
		{name: "nothing", most: 7},
		{name: "malformed", value: "00-zz", most: 8},
	} {
		t.Setenv("TRACEPARENT", tt.value)
		t.Setenv("TRACESTATE", "a=1,b=2")
		os.Args = append([]string{"job"}, tt.args...)
		got := testing.AllocsPerRun(100, func() { remote = job.Read(tt.opts...) })
		if got > tt.most || remote.SpanContext().IsValid() != tt.found {
			t.Errorf("%s: %.0f allocations, want at most %.0f; found a context: %t, want %t", tt.name, got, tt.most, remote.SpanContext().IsValid(), tt.found)
		}
	}
}
