// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/internal/flow"
)

// A call that a journal has noted explains a finding, in every format, though it is
// about no span.
func TestDoctor_Journal(t *testing.T) {
	t.Parallel()
	journal := filepath.Join(t.TempDir(), "journal.jsonl")
	entry := `{"number":1,"time":"2023-11-14T22:13:20Z","action":"inject","outcome":"absent","call":"kafkacarrier.Inject","file":"/src/orders/send.go","line":41,"carrier":"kafka","propagator":["traceparent"]}`
	if err := os.WriteFile(journal, []byte("{\n"+entry+"\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for format := range formats {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), []string{"doctor", "--format", format, "--journal", journal}, strings.NewReader(whole), &stdout, &stderr)
			if code != exitFindings {
				t.Fatalf("exit code %d, want %d; standard error: %s", code, exitFindings, &stderr)
			}
			for _, want := range []string{"P06", "orders/send.go:41"} {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("output\n%swant it to contain %q", &stdout, want)
				}
			}
			if want := "damaged: " + journal + ":1: "; !strings.Contains(stderr.String(), want) {
				t.Errorf("standard error %q, want it to contain %q", &stderr, want)
			}
		})
	}
}

func TestDoctor_JournalThatCannotBeRead(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.jsonl")
	if err := os.WriteFile(empty, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ file, want string }{
		"no such file": {"absent.jsonl", "absent.jsonl"},
		"no journal":   {empty, "no entry of a journal could be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), []string{"doctor", "--journal", tt.file}, strings.NewReader(whole), &stdout, &stderr); code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if !strings.Contains(stderr.String(), tt.want) {
				t.Errorf("standard error %q, want it to contain %q", &stderr, tt.want)
			}
		})
	}
}

// Entries of two processes have the same numbers, and stay apart.
func TestJournals_Numbers(t *testing.T) {
	t.Parallel()
	var j journals
	for _, process := range []string{"a", "b"} {
		text := fmt.Sprintf(`{"number":7,"action":"extract","call":%q}`+"\n"+`{"number":8,"action":"start","extractions":[7,99]}`+"\n", process)
		if err := j.read(process, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := json.Marshal(j.entries)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"number":2`, `"extractions":[1,0]`, `"number":4`, `"extractions":[3,0]`} {
		if !bytes.Contains(got, []byte(want)) {
			t.Errorf("entries %s, want them to contain %s", got, want)
		}
	}
}

func FuzzJournals(f *testing.F) {
	f.Add([]byte(`{"number":1,"action":"extract","outcome":"ok"}` + "\n{\n"))
	f.Add(bytes.Repeat([]byte("a"), maxEntrySize+1))
	f.Fuzz(func(t *testing.T, text []byte) {
		var j journals
		if err := j.read("journal.jsonl", bytes.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(text, []byte("\n")) + 1; len(j.entries)+j.damagedCount > lines {
			t.Errorf("%d entries and %d damaged lines of %d", len(j.entries), j.damagedCount, lines)
		}
		d := diagnose(nil, flow.Expectation{Journal: j.entries}, nil)
		if err := writeText(&bytes.Buffer{}, d); err != nil {
			t.Error(err)
		}
	})
}
