// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

func TestMain(m *testing.M) {
	runJob()
	os.Exit(m.Run())
}

// recordings is where the tests of the command find the spans of each mistake.
const recordings = "../../cmd/waybill/testdata/planted"

// Each mistake is found by the command, and nothing else is; its cure is not. If
// UPDATE_RECORDINGS is set, the spans replace the recordings of the command.
func TestMistakes(t *testing.T) {
	t.Parallel()
	waybill := buildCommand(t)
	for id, m := range mistakes {
		for name, code := range map[string]code{"fault": m.fault, "cure": m.cure} {
			t.Run(id+"/"+name, func(t *testing.T) {
				t.Parallel()
				spans, err := record(t.Context(), code)
				if err != nil {
					t.Fatal(err)
				}
				dir := t.TempDir()
				if os.Getenv("UPDATE_RECORDINGS") != "" {
					dir = recordings
				}
				file := filepath.Join(dir, id+"-"+name+".jsonl")
				if err := os.WriteFile(file, spans, 0o600); err != nil {
					t.Fatal(err)
				}
				got := findings(t, waybill, file)
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

// finding is a finding in the JSON of the command.
type finding struct{ ID, Level, What string }

func (f finding) String() string { return fmt.Sprintf("%s %s: %s", f.ID, f.Level, f.What) }

func findings(t *testing.T, waybill, file string) []finding {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), waybill, "doctor", "--format", "json", file)
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
