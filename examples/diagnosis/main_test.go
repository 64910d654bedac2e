// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/waybill-go/waybill/examples/internal/program"
	"github.com/waybill-go/waybill/propagation"
)

// recordings is where the tests of the command find what each mistake has recorded.
const recordings = "../../cmd/waybill/testdata/planted"

// noted are the mistakes that show in the journal of the program.
var noted = []string{"P06", "P07", "P08", "P09", "P10", "P15"}

// Each mistake is found by the command, and nothing else is; its cure is not. If
// UPDATE_RECORDINGS is set, what they record replaces the recordings of the command.
func TestMistakes(t *testing.T) {
	t.Parallel()
	waybill := buildCommand(t)
	for id := range mistakes {
		for name, args := range map[string][]string{"fault": {id}, "cure": {"-cure", id}} {
			t.Run(id+"/"+name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				if os.Getenv("UPDATE_RECORDINGS") != "" {
					dir = recordings
				}
				got := findings(t, waybill, runProgram(t, filepath.Join(dir, id+"-"+name), args...)...)
				if name == "fault" && !slices.ContainsFunc(got, func(f finding) bool { return f.ID == id }) {
					t.Errorf("findings %v, want one %s", got, id)
				}
				for _, f := range got {
					if f.ID != id && f.Level != "info" || f.ID == id && name == "cure" {
						t.Errorf("finding %s", f)
					}
				}
			})
		}
	}
}

// runProgram runs the program, and returns the arguments with which doctor reads what
// it has recorded in files whose names begin with prefix.
func runProgram(t *testing.T, prefix string, args ...string) []string {
	t.Helper()
	isNoted := slices.Contains(noted, args[len(args)-1])
	cmd := exec.CommandContext(t.Context(), program.Build(t), args...)
	cmd.Stderr = &bytes.Buffer{}
	raw := filepath.Join(t.TempDir(), "journal.jsonl")
	if isNoted {
		cmd.Env = append(os.Environ(), "WAYBILL_JOURNAL="+raw)
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, cmd.Stderr)
	}
	spans, by := shiftSpans(t, out)
	doctor := []string{prefix + ".jsonl"}
	writeFile(t, doctor[0], spans)
	if isNoted {
		journal := prefix + ".journal.jsonl"
		writeFile(t, journal, shiftJournal(t, raw, by))
		doctor = append(doctor, "--journal", journal)
	}
	return doctor
}

func writeFile(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// epoch is when each recording starts.
var epoch = time.Date(2026, time.January, 2, 15, 4, 5, 0, time.UTC)

// shiftSpans returns spans with other times, and by how much these differ, so that
// recordings are alike.
func shiftSpans(t *testing.T, text []byte) (shifted []byte, by time.Duration) {
	t.Helper()
	var all []ptrace.Traces
	var first time.Time
	for line := range bytes.Lines(text) {
		traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(line)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, traces)
		eachSpan(traces, func(span ptrace.Span) {
			if start := span.StartTimestamp().AsTime(); first.IsZero() || start.Before(first) {
				first = start
			}
		})
	}
	by = epoch.Sub(first)
	for _, traces := range all {
		eachSpan(traces, func(span ptrace.Span) {
			span.SetStartTimestamp(shift(span.StartTimestamp(), by))
			span.SetEndTimestamp(shift(span.EndTimestamp(), by))
		})
		line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
		if err != nil {
			t.Fatal(err)
		}
		shifted = append(append(shifted, line...), '\n')
	}
	return shifted, by
}

func shift(at pcommon.Timestamp, by time.Duration) pcommon.Timestamp {
	if at == 0 {
		return 0 // The span has not ended.
	}
	return pcommon.NewTimestampFromTime(at.AsTime().Add(by))
}

func eachSpan(traces ptrace.Traces, do func(ptrace.Span)) {
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				do(span)
			}
		}
	}
}

// shiftJournal returns a journal with other times, and without the folders of this
// machine.
func shiftJournal(t *testing.T, name string, by time.Duration) (shifted []byte) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var e propagation.JournalEntry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		e.Time = e.Time.Add(by).UTC()
		if e.File != "" {
			e.File = "diagnosis/" + path.Base(e.File)
		}
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		shifted = append(append(shifted, line...), '\n')
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return shifted
}

// finding is a finding in the JSON of the command.
type finding struct{ ID, Level, What string }

func (f finding) String() string { return fmt.Sprintf("%s %s: %s", f.ID, f.Level, f.What) }

func findings(t *testing.T, waybill string, args ...string) []finding {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), waybill, append([]string{"doctor", "--format", "json"}, args...)...)
	out, err := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); code != 0 && code != 1 {
		t.Fatalf("doctor: %v\n%s", err, out)
	}
	var document struct{ Findings []finding }
	if err := json.Unmarshal(out, &document); err != nil {
		t.Fatal(err)
	}
	return document.Findings
}

// buildCommand returns a file with the command waybill.
func buildCommand(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "waybill")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", file, ".")
	cmd.Dir = "../../cmd/waybill"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return file
}
