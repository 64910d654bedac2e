// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/waybill-go/waybill/internal/flow"
)

// openTerminal returns both ends of a pseudo-terminal: what a program has, and the
// keyboard.
func openTerminal(t *testing.T) (tty, keyboard *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	fd := int(keyboard.Fd())
	if err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return tty, keyboard
}

func TestRead_TerminalIsToldWhatIsAwaited(t *testing.T) {
	t.Parallel()
	const ctrlD = "\x04"
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{name: "doctor", args: []string{"doctor"}, want: "waybill: waiting for spans from the terminal, which end with Ctrl-D; waybill doctor FILE reads a file\n"},
		{name: "tree of standard input", args: []string{"tree", "-"}, want: "waybill: waiting for spans from the terminal, which end with Ctrl-D; waybill tree FILE reads a file\n"},
		{name: "a file", args: []string{"doctor", os.DevNull}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tty, keyboard := openTerminal(t)
			if _, err := keyboard.WriteString(ctrlD); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), tt.args, tty, &stdout, &stderr)
			hint, _, _ := strings.Cut(stderr.String(), "waybill: no spans in ")
			if code != exitUsage || hint != tt.want {
				t.Errorf("exit code %d and standard error %q, want %d and %q", code, &stderr, exitUsage, tt.want)
			}
		})
	}
}

// Text on a terminal has colors, and folds to its width.
func TestRun_OnTerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	const columns = 60
	for _, command := range []string{"doctor", "tree"} {
		tty, keyboard := openTerminal(t)
		if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: columns}); err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		if code := run(t.Context(), []string{command}, strings.NewReader(strings.ReplaceAll(broken, "orders", "注文サービス")), tty, &stderr); code == exitUsage {
			t.Fatalf("%s: %s", command, &stderr)
		}
		text := make([]byte, 1<<16)
		n, err := keyboard.Read(text)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text[:n], []byte("\x1b["+bold+"m")) || !bytes.Contains(text[:n], []byte("\x1b["+red+"m")) {
			t.Errorf("%s: no colors in\n%q", command, text[:n])
		}
		plain := regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(string(text[:n]), "")
		for line := range strings.SplitSeq(plain, "\r\n") {
			if got := flow.Columns(line); got > columns && strings.Contains(strings.TrimSpace(line), " ") { // An address is not cut.
				t.Errorf("%s: a line takes %d columns of %d: %s", command, got, columns, line)
			}
		}
	}
}
