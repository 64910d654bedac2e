// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/waybill-go/waybill/propagation"
)

// childKey is the environment variable by which a test runs itself as another process,
// in which WAYBILL_JOURNAL is set. Its value is how many goroutines the child has.
const childKey = "WAYBILL_TEST_CHILD"

// TestJournalOfProcess_Child is what the other process does. In this one it does
// nothing.
func TestJournalOfProcess_Child(t *testing.T) {
	var goroutines int
	if _, err := fmt.Sscan(os.Getenv(childKey), &goroutines); err != nil {
		return
	}
	ctx := contents{traceparent: traceparentText}.context(t)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range 100 {
				propagation.Inject(ctx, text{}, textAccessor{}, defaults)
			}
		})
	}
	wg.Wait()
	remote := propagation.Read(text{"b3": "1-2-1"}, textAccessor{}, defaults)
	tracer, recorder := tracer()
	_, span := propagation.Start(t.Context(), tracer, "process", []propagation.Remote{remote})
	span.End()
	for _, kv := range recorder.Ended()[0].Attributes() {
		fmt.Printf("%s=%s\n", kv.Key, kv.Value.String())
	}
}

// runChild runs the other process, and returns what it prints.
func runChild(t *testing.T, journal string, goroutines int) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestJournalOfProcess_Child$")
	cmd.Env = append(os.Environ(), "WAYBILL_JOURNAL="+journal, fmt.Sprintf("%s=%d", childKey, goroutines))
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return string(output)
}

func TestJournalOfProcess_File(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "journal.jsonl")
	const before = "{\"action\":\"before\"}\n"
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if output := runChild(t, file, 4); !strings.Contains(output, "waybill.extract=foreign B3") {
		t.Errorf("the span is not marked: %s", output)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines, found := strings.CutPrefix(string(text), before)
	if !found {
		t.Fatal("the file was not appended to")
	}
	counts := map[string]int{}
	for line := range strings.Lines(lines) {
		var e struct{ Action, Outcome, Detail, Call, Function, File, Carrier string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if strings.Contains(e.Function, "TestJournalOfProcess_Child") {
			counts[strings.Join([]string{e.Call, e.Action, e.Outcome, e.Detail}, " ")]++
		}
		if e.File == "" {
			t.Errorf("%q has no place", line)
		}
	}
	for what, want := range map[string]int{
		"propagation.Inject inject ok ": 400, "propagation.Read extract foreign B3": 1, "propagation.Start start foreign B3": 1,
	} {
		if counts[what] != want {
			t.Errorf("got %d entries %q, want %d; all are %v", counts[what], what, want, counts)
		}
	}
}

func TestJournalOfProcess_SpansOnly(t *testing.T) {
	t.Parallel()
	if output := runChild(t, "spans", 1); !strings.Contains(output, "waybill.extract=foreign B3") {
		t.Errorf("the span is not marked: %s", output)
	}
	if _, err := os.Stat("spans"); err == nil {
		t.Error("there is a file called spans")
	}
}

func TestJournalOfProcess_Off(t *testing.T) {
	t.Parallel()
	if output := runChild(t, "", 1); strings.Contains(output, "waybill.") {
		t.Errorf("the span is marked: %s", output)
	}
}

// A file that cannot be written costs one sentence, and nothing else.
func TestJournalOfProcess_NoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, file := range map[string]string{"a folder": dir, "a missing folder": filepath.Join(dir, "none", "journal")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output := runChild(t, file, 2)
			if got := strings.Count(output, "waybill: WAYBILL_JOURNAL="+file); got != 1 {
				t.Errorf("got %d sentences, want one: %s", got, output)
			}
			if !strings.Contains(output, "waybill.extract=foreign B3") {
				t.Errorf("the span is not marked: %s", output)
			}
		})
	}
}

// A journal of many goroutines has whole lines, up to its limit, and says that it is
// full.
func TestJournalOfProcess_Limit(t *testing.T) {
	t.Parallel()
	const goroutines, each, room = 8, 500, 900 // Fewer than are queued, so that none is lost.
	file := filepath.Join(t.TempDir(), "journal.jsonl")
	write, err := propagation.OpenJournal(file, room)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				write(&propagation.JournalEntry{Action: propagation.JournalInject, Detail: strings.Repeat("x", 200)})
			}
		})
	}
	wg.Wait()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	entries, lost, full := 0, 0, 0
	for line := range strings.Lines(string(text)) {
		var e struct {
			PID, Lost int
			Full      bool
			Action    string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.PID != os.Getpid() {
			t.Fatalf("%q: %v", line, err)
		}
		lost += e.Lost
		entries++
		if e.Full {
			full++
		}
	}
	if entries+lost != room || full != 1 {
		t.Errorf("got %d entries, %d lost and %d lines that say it is full, want %d and one", entries, lost, full, room)
	}
}

// A pipe that nobody reads would block the program, so it is refused.
func TestJournalOfProcess_NoRegularFile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{os.DevNull, t.TempDir()} {
		write, err := propagation.OpenJournal(name, 1)
		if err == nil {
			t.Errorf("%s is taken for a regular file", name)
		}
		write(&propagation.JournalEntry{})
	}
}
