// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/examples/internal/program"
)

func TestDemo_View(t *testing.T) {
	t.Parallel()
	out, temporary := t.TempDir(), t.TempDir()
	cmd := exec.Command(program.Build(t), inGo, "--view=127.0.0.1:0", "--events", fewEvents, "--out", out)
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary, "DISPLAY=", "WAYLAND_DISPLAY=")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	first, live := readUntil(lines, regexp.MustCompile(`live: http://\S+`))
	page := strings.TrimPrefix(live, "live: ")
	rest, still := readUntil(lines, regexp.MustCompile(`The flow is still shown at http://\S+\. Ctrl-C ends that\.`))
	t.Log("\n" + first + rest)
	if want := "The flow is still shown at " + page + ". Ctrl-C ends that."; still != want {
		t.Fatalf("it ends with %q, want %q; standard error: %s", still, want, &stderr)
	}

	if text := get(t, page); !strings.HasPrefix(text, "<!DOCTYPE html>") {
		t.Errorf("the page is %.100q", text)
	}
	saved := filepath.Join(temporary, spansFile)
	if err := os.WriteFile(saved, []byte(get(t, page+"save")), 0o600); err != nil {
		t.Fatal(err)
	}
	got, want := 0, 0
	for _, traces := range readSpans(t, saved) {
		got += traces.SpanCount()
	}
	for _, traces := range readSpans(t, filepath.Join(out, spansFile)) {
		want += traces.SpanCount()
	}
	if got != want || want == 0 {
		t.Errorf("the page has %d spans, want %d", got, want)
	}
	if err := os.Remove(saved); err != nil {
		t.Fatal(err)
	}

	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, lines)
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v after Ctrl-C: %s", err, &stderr)
	}
	if left := running(t, temporary); len(left) > 0 {
		t.Errorf("still running: %v", left)
	}
	requireEmpty(t, temporary)
}

func TestViewAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{name: "not given", want: ""},
		{name: "alone", args: []string{"--view"}, want: defaultView},
		{name: "with an address", args: []string{"--view=127.0.0.1:14318"}, want: "127.0.0.1:14318"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := parse(tt.args)
			if got := string(f.view); got != tt.want || err != nil {
				t.Errorf("parse(%q) has the address %q, %v; want %q", tt.args, got, err, tt.want)
			}
		})
	}
}
