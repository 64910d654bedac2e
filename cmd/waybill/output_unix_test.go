// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// printers are the commands that print to standard output, and their exit codes with the
// recording of a broken flow.
var printers = []struct {
	args []string
	code int
}{
	{args: []string{"doctor"}, code: exitFindings},
	{args: []string{"doctor", "--format", "sarif"}, code: exitFindings},
	{args: []string{"doctor", "--window", "10m"}, code: exitFindings},
	{args: []string{"tree"}},
	{args: []string{"report", "-o", "-"}},
	{args: []string{"catalog"}},
	{args: []string{"catalog", "--format", "json"}},
	{args: []string{"rules"}},
}

// program returns a run of the program by itself.
func program(t *testing.T, stdin string, args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), mainVariable+"=1")
	cmd.Stdin = strings.NewReader(stdin)
	stderr = &bytes.Buffer{}
	cmd.Stderr = stderr
	return cmd, stderr
}

func exitCodeOf(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode() // -1 after a signal.
	default:
		t.Fatal(err)
		return -1
	}
}

// A pipe that its reader closes, as head does, changes no exit code.
func TestOutput_ClosedPipe(t *testing.T) {
	t.Parallel()
	for _, tt := range printers {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			_ = r.Close() // Nothing was written to it.
			cmd, stderr := program(t, broken, tt.args...)
			cmd.Stdout = w
			err = cmd.Run()
			_ = w.Close() // The program has its own.
			if code := exitCodeOf(t, err); code != tt.code || stderr.Len() > 0 {
				t.Errorf("exit code %d, standard error %q; want %d and nothing", code, stderr, tt.code)
			}
		})
	}
}

func TestReport_CannotWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, output, want string }{
		{name: "no such directory", output: filepath.Join(dir, "absent", "flow.html"), want: "no such file or directory"},
		{name: "in a file", output: filepath.Join(file, "flow.html"), want: "not a directory"},
		{name: "a directory", output: dir, want: "is a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			code := run(t.Context(), []string{"report", "-o", tt.output}, strings.NewReader(broken), io.Discard, &stderr)
			if want := "waybill: cannot write " + tt.output + ": " + tt.want + "\n"; code != exitUsage || stderr.String() != want {
				t.Errorf("exit code %d, standard error %q; want 2 and %q", code, &stderr, want)
			}
		})
	}
}
