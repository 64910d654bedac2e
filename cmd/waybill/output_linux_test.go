// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
)

// A full disk ends each command with one sentence and the exit code 2.
func TestOutput_FullDisk(t *testing.T) {
	t.Parallel()
	for _, tt := range printers {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer full.Close()
			cmd, stderr := program(t, broken, tt.args...)
			cmd.Stdout = full
			code := exitCodeOf(t, cmd.Run())
			if said := stderr.String(); code != exitUsage || !strings.HasSuffix(said, "no space left on device\n") || strings.Count(said, "\n") != 1 {
				t.Errorf("exit code %d, standard error %q; want 2 and one line", code, said)
			}
		})
	}
	t.Run("report to a file", func(t *testing.T) {
		t.Parallel()
		var stderr bytes.Buffer
		code := run(t.Context(), []string{"report", "-o", "/dev/full"}, strings.NewReader(broken), io.Discard, &stderr)
		if want := "waybill: cannot write /dev/full: no space left on device\n"; code != exitUsage || stderr.String() != want {
			t.Errorf("exit code %d, standard error %q; want 2 and %q", code, &stderr, want)
		}
	})
}

// Progress is shown where standard error is a terminal, and removed in the end.
func TestProgress_OnTerminal(t *testing.T) {
	t.Parallel()
	tty, screen := openTerminal(t)
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: 80}); err != nil {
		t.Fatal(err)
	}
	p := newProgress(tty)
	p.start = p.start.Add(-soon)
	p.update(recording.Progress{Spans: 3, Bytes: 2e6, Size: 4e6})
	p.end()
	const shown, removed = "\rwaybill: 2 MB of 4 MB, 3 spans, 1s left", " \r"
	text := make([]byte, len(shown+"\r")+len(shown)-1+len(removed)-1)
	if _, err := io.ReadFull(screen, text); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), shown+"\r ") || !strings.HasSuffix(string(text), removed) {
		t.Errorf("the terminal gets %q, want the progress, and it removed", text)
	}
}

// Where nothing can be written, the program says so in one sentence.
func TestReport_ReadOnly(t *testing.T) {
	t.Parallel()
	file := filepath.Join("/proc", "flow.html") // No one can write there.
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"report", "-o", file}, strings.NewReader(broken), io.Discard, &stderr)
	if said := stderr.String(); code != exitUsage || !strings.HasPrefix(said, "waybill: cannot write "+file+": ") || strings.Count(said, "\n") != 1 {
		t.Errorf("exit code %d, standard error %q; want 2 and one line", code, said)
	}
}
