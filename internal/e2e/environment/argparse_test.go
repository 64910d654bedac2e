// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package environment_test

import (
	"os/exec"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// receiver is a program in Python with a parser that refuses unknown flags. It
// reads the context as the documentation of jobcarrier shows, and prints it.
const receiver = `
import argparse, sys
keys = ("traceparent", "tracestate", "baggage", "waybill")
ours = [a for a in sys.argv[1:] if a.startswith(tuple(f"--{k}=" for k in keys))]
args = [a for a in sys.argv[1:] if a not in ours]
parser = argparse.ArgumentParser()
parser.add_argument("--day")
parser.add_argument("operands", nargs="*")
parsed = parser.parse_args(args if len(sys.argv) > 1 and sys.argv[1] != "raw" else sys.argv[2:])
print(parsed.day, parsed.operands, dict(a[2:].split("=", 1) for a in ours).get("traceparent"))
`

func TestTakeArgs_Argparse(t *testing.T) {
	t.Parallel()
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	ctx := trace.ContextWithRemoteSpanContext(t.Context(), sc)
	const traceparent = "00-01000000000000000000000000000000-0200000000000000-01"
	with := jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()))
	injected := jobcarrier.InjectArgs(ctx, []string{"--day", "mon", "file"}, with)
	_, taken := jobcarrier.TakeArgs(injected, with)

	run := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), "python3", append([]string{"-c", receiver}, args...)...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if got, err := run(injected...); err != nil || got != "mon ['file'] "+traceparent {
		t.Errorf("the receiver of the documentation prints %q, error %v", got, err)
	}
	if got, err := run(taken...); err != nil || got != "mon ['file'] None" {
		t.Errorf("of what TakeArgs returns it prints %q, error %v", got, err)
	}
	if got, err := run(append([]string{"raw"}, injected...)...); err == nil || !strings.Contains(got, "unrecognized arguments") {
		t.Errorf("argparse accepts the flags, so this test shows nothing: %q, error %v", got, err)
	}
}
