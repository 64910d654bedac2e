// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package environment_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// taker takes the context from lists of arguments with waybill_receiver, and hands the
// rest to argparse, which ends the program where it refuses something.
const taker = `
import argparse, json, sys
import waybill_receiver

parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--day")
parser.add_argument("-n", type=int)
parser.add_argument("--verbose", "-v", action="store_true")
parser.add_argument("--files", nargs="*", default=[])
parser.add_argument("operands", nargs="*")

def parsed(args):
    try:
        return vars(parser.parse_args(args))
    except SystemExit:
        return None

def taken(args):
    found, rest = waybill_receiver.take_args(args)
    return {"found": found, "rest": rest, "parsed": parsed(rest)}

print(json.dumps([taken(args) for args in json.load(sys.stdin)]))
`

// taken is what the taker makes of a list.
type taken struct {
	Found  map[string]string `json:"found"`
	Rest   []string          `json:"rest"`
	Parsed map[string]any    `json:"parsed"`
}

// take runs the taker on lists of arguments.
func take(t *testing.T, lists [][]string) []taken {
	t.Helper()
	stdin, err := json.Marshal(lists)
	if err != nil {
		t.Fatal(err)
	}
	python, err := filepath.Abs("../../../.cache/e2e/python/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", taker)
	cmd.Stdin, cmd.Env = bytes.NewReader(stdin), []string{"PYTHONPATH=../../../python", "PYTHONDONTWRITEBYTECODE=1"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var results []taken
	if err == nil {
		err = json.Unmarshal(out, &results)
	}
	if err != nil || len(results) != len(lists) {
		t.Fatalf("%d results, error %v (run make e2e-deps first): %.1000s", len(results), err, stderr.String())
	}
	return results
}

// Of arguments in any order, Go and Python take the same, and argparse makes of what is
// left what it makes of the arguments before a context was injected.
func TestTakeArgs_Python(t *testing.T) {
	t.Parallel()
	pieces := []string{
		"--traceparent", "--traceparent=", "-traceparent=x", "--tracestate", "--tracestate=a=1", "--baggage", "--waybill", "---waybill=x", "--Traceparent=x",
		"--day", "--day=mon", "-n", "-n1", "-v", "--verbose", "--files", "--", "-", "", "mon", "1", "run", "a=b", "--traceparentx=1",
	}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same lists in each run.
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	ctx := trace.ContextWithRemoteSpanContext(t.Context(), sc)
	with := jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()))
	var lists, injected [][]string
	for range 2000 {
		args := []string{}
		for range random.IntN(7) {
			args = append(args, pieces[random.IntN(len(pieces))])
		}
		_, own := jobcarrier.TakeArgs(args, with)
		lists, injected = append(lists, args, own), append(injected, args, jobcarrier.InjectArgs(ctx, own, with))
	}

	before, after := take(t, lists), take(t, injected)
	accepted := 0
	for i, args := range injected {
		remote, rest := jobcarrier.TakeArgs(args, with)
		if diff := cmp.Diff(rest, after[i].Rest); diff != "" {
			t.Fatalf("of %q Python leaves (-Go +Python):\n%s", args, diff)
		}
		if got := jobcarrier.Read(after[i].Found, with).SpanContext(); !got.Equal(remote.SpanContext()) {
			t.Fatalf("of %q Python takes %v, want %v", args, got, remote.SpanContext())
		}
		if i%2 == 0 {
			continue // A list that nothing was injected into.
		}
		if !remote.SpanContext().Equal(sc.WithRemote(true)) {
			t.Fatalf("of %q the span context %v is read, want %v", args, remote.SpanContext(), sc)
		}
		if diff := cmp.Diff(before[i].Parsed, after[i].Parsed); diff != "" {
			t.Fatalf("argparse makes of %q (-without a context +with it):\n%s", args, diff)
		}
		if after[i].Parsed != nil {
			accepted++
		}
	}
	if accepted < 200 {
		t.Errorf("argparse accepts %d lists, too few to show something", accepted)
	}
}

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
