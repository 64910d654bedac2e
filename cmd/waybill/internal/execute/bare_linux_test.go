// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/waybill-go/waybill/cmd/waybill/internal/execute"
)

// outcome is what whoever runs a command sees of it.
type outcome struct {
	code           int
	stdout, stderr string
}

// observed runs cmd, with input, and returns what is seen of it.
func observed(t *testing.T, cmd *exec.Cmd, input string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return outcome{codeOf(cmd.ProcessState), stdout.String(), stderr.String()}
}

// codeOf returns the exit code, as a shell has it.
func codeOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// bareCase is a command that is run alone and as a job.
type bareCase struct {
	name    string
	command []string
	input   string
	rows    execute.RowsMode
}

// bareCases returns the cases: every way in which a command ends, and reads and writes.
func bareCases() []bareCase {
	var cases []bareCase
	add := func(name string, command []string) { cases = append(cases, bareCase{name: name, command: command}) }
	for code := range 128 {
		add(fmt.Sprintf("exit code %d", code), sh("exit %d", code))
	}
	for _, code := range []int{128, 129, 130, 137, 143, 200, 254, 255, 256, 257} {
		add(fmt.Sprintf("exit code %d", code), sh("exit %d", code))
	}
	for s := 1; s <= 64; s++ {
		if s == 32 || s == 33 { // They belong to the C library.
			continue
		}
		if isStop(syscall.Signal(s)) {
			continue
		}
		add(fmt.Sprintf("signal %d", s), sh("ulimit -c 0; echo before; kill -%d $$; echo after", s))
	}
	for _, s := range []string{"TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "ALRM"} {
		add("signal "+s+" of a child", sh("sh -c 'kill -%s $$'; echo $?", s))
		add("signal "+s+" that is ignored", sh("trap '' %s; kill -%s $$; exit 9", s, s))
	}
	add("output to both", sh("echo out; echo err >&2; exit 7"))
	add("output without a newline", sh("printf out; printf err >&2"))
	add("output of any bytes", sh(`printf '\000\377\r\n::rows \001'`))
	add("directory", []string{"pwd"})
	add("arguments", []string{"printf", "[%s]", "", " ", "a b", "$HOME", "*", "--", "-x", "ünï"})
	add("limits", sh("ulimit -n; ulimit -a | sort"))
	add("mask of files", sh("umask"))
	add("signals that are blocked or ignored", sh("grep -E '^Sig(Blk|Ign)' /proc/self/status"))
	add("descriptors", sh("ls /proc/self/fd"))
	add("blocking output", sh("grep flags /proc/self/fdinfo/1"))
	for _, rows := range []execute.RowsMode{execute.RowsAuto, execute.RowsAlways, execute.RowsNever} {
		for _, size := range []int{0, 1, 65536, 1 << 20} {
			cases = append(cases, bareCase{
				name: fmt.Sprintf("%d bytes with rows %s", size, rows), command: []string{"cat"}, rows: rows,
				input: strings.Repeat("::rows read=1\n\x00\xff", size/16+1)[:size],
			})
		}
	}
	return cases
}

func isStop(s syscall.Signal) bool {
	return s == syscall.SIGSTOP || s == syscall.SIGTSTP || s == syscall.SIGTTIN || s == syscall.SIGTTOU
}

func TestRun_AsBareCommand(t *testing.T) {
	t.Parallel()
	cases := bareCases()
	if len(cases) < 200 {
		t.Errorf("%d cases, want at least 200", len(cases))
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bare := exec.CommandContext(t.Context(), tt.command[0], tt.command[1:]...)
			bare.Env = plain(t)
			want := observed(t, bare, tt.input)
			got := observed(t, job(t, execute.Config{Command: tt.command, Rows: tt.rows}), tt.input)
			if got != want {
				t.Errorf("as a job: %.300q, %d\nalone:    %.300q, %d", got.stdout+got.stderr, got.code, want.stdout+want.stderr, want.code)
			}
		})
	}
}

// TestRun_AsShell compares the exit codes of commands that cannot be run with those of a shell.
func TestRun_AsShell(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]struct {
		content string
		mode    os.FileMode
	}{
		"script": {"echo script \"$@\"; exit 5", 0o755}, // No first line that names an interpreter.
		"plain":  {"echo plain", 0o644},
		"broken": {"#!/no/such/interpreter\n", 0o755},
		"good":   {"#!/bin/sh\nexit 6\n", 0o755},
	}
	for name, f := range files {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(f.content), f.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, f.mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		command []string
		path    string // PATH; the default is dir, then the usual.
		code    int
		stdout  string
		reason  string // After the name, on standard error.
	}{
		{name: "script without an interpreter", command: []string{"script", "a", "b"}, code: 5, stdout: "script a b\n"},
		{name: "script with one", command: []string{"good"}, code: 6},
		{name: "file that is not executable", command: []string{"plain"}, code: 126},
		{name: "interpreter that does not exist", command: []string{"broken"}, code: 127},
		{name: "folder by its path", command: []string{dir + "/folder"}, code: 126},
		{name: "folder by its name", command: []string{"folder"}, code: 127, reason: "executable file not found in $PATH"},
		{name: "no such command", command: []string{"no-such-command"}, code: 127, reason: "executable file not found in $PATH"},
		{name: "no such path", command: []string{dir + "/no-such"}, code: 127, reason: "no such file or directory"},
		{name: "path below a file", command: []string{dir + "/plain/x"}, code: 126},
		{name: "empty name", command: []string{""}, code: 127},
		{name: "current folder in PATH", command: []string{"good"}, path: "/bin:", code: 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := "PATH=" + dir + ":/usr/bin:/bin"
			if tt.path != "" {
				path = "PATH=" + tt.path
			}
			cmd := job(t, execute.Config{Command: tt.command})
			cmd.Env = append(cmd.Env, path)
			cmd.Dir = dir
			got := observed(t, cmd, "")
			if got.code != tt.code || got.stdout != tt.stdout {
				t.Errorf("code %d, output %q, want %d, %q", got.code, got.stdout, tt.code, tt.stdout)
			}
			if tt.code > 125 && !strings.HasPrefix(got.stderr, "waybill exec: ") || strings.Count(got.stderr, "\n") > 1 {
				t.Errorf("standard error %q, want one line", got.stderr)
			}
			if want := tt.command[0] + ": " + tt.reason; tt.reason != "" && got.stderr != "waybill exec: "+want+"\n" {
				t.Errorf("standard error %q, want %q", got.stderr, want)
			}
		})
	}
}

// TestRun_OrderOfStreams is the case of 2>&1 into a pipe.
func TestRun_OrderOfStreams(t *testing.T) {
	t.Parallel()
	cmd := job(t, execute.Config{Command: sh("i=0; while [ $i -lt 300 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done")})
	got, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for i := range 300 {
		fmt.Fprintf(&want, "out %d\nerr %d\n", i, i)
	}
	if string(got) != want.String() {
		t.Errorf("the lines are in another order: %.200q", got)
	}
}

// TestRun_ReaderGone is the case of "| head".
func TestRun_ReaderGone(t *testing.T) {
	t.Parallel()
	for _, rows := range []execute.RowsMode{execute.RowsAlways, execute.RowsNever} {
		t.Run(string(rows), func(t *testing.T) {
			t.Parallel()
			endpoint, received := newHTTPCollector(t)
			cmd := job(t, execute.Config{Command: []string{"yes"}, Rows: rows, FlushTimeout: patience}, "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint)
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(stdout, make([]byte, 100_000)); err != nil {
				t.Fatal(err)
			}
			if err := stdout.Close(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if got, want := codeOf(cmd.ProcessState), 128+int(syscall.SIGPIPE); got != want {
				t.Errorf("code %d, want %d", got, want)
			}
			span, _ := received.only(t)
			if got := attributesOf(span.Attributes)["error.type"]; got != "SIGPIPE" {
				t.Errorf("error.type %v, want SIGPIPE", got)
			}
		})
	}
}

// TestRun_FullDisk is a command whose output cannot be written. Alone, it learns that from
// its own write; as a job whose output is read, it may have ended before.
func TestRun_FullDisk(t *testing.T) {
	t.Parallel()
	const said = "waybill exec: output was lost: write /dev/stdout: no space left on device\n"
	for _, tt := range []struct {
		name    string
		cfg     execute.Config
		code    int
		stderr  string
		outcome string
		kind    string
	}{
		{
			name: "a command that succeeds", cfg: execute.Config{Command: []string{"cat"}, Rows: execute.RowsAlways, Quiet: true},
			code: 1, stderr: said, outcome: "failure", kind: "output_lost",
		},
		{
			name: "a command that fails", cfg: execute.Config{Command: sh("cat; exit 3"), Rows: execute.RowsAlways},
			code: 3, stderr: said, outcome: "failure", kind: "exit_3",
		},
		{
			name: "output that is not read", cfg: execute.Config{Command: []string{"cat"}, Rows: execute.RowsNever},
			code: 1, stderr: "cat: write error: No space left on device\n", outcome: "failure", kind: "exit_1",
		},
		{
			name: "no output", cfg: execute.Config{Command: []string{"true"}, Rows: execute.RowsAlways},
			outcome: "success",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer full.Close()
			endpoint, received := newHTTPCollector(t)
			tt.cfg.FlushTimeout = patience
			cmd := job(t, tt.cfg, "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint, "LC_ALL=C")
			var stderr bytes.Buffer
			cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("a row\n"), full, &stderr
			_ = cmd.Run()
			if got := codeOf(cmd.ProcessState); got != tt.code || stderr.String() != tt.stderr {
				t.Errorf("code %d, standard error %q; want %d, %q", got, &stderr, tt.code, tt.stderr)
			}
			span, _ := received.only(t)
			attributes := attributesOf(span.Attributes)
			kind, _ := attributes["error.type"].(string)
			if attributes["etl.outcome"] != tt.outcome || kind != tt.kind {
				t.Errorf("etl.outcome %v and error.type %q, want %s and %q", attributes["etl.outcome"], kind, tt.outcome, tt.kind)
			}
		})
	}
}

// TestRun_LeftBehind is a command that leaves a process behind that has its streams.
func TestRun_LeftBehind(t *testing.T) {
	t.Parallel()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	cmd := job(t, execute.Config{Command: sh("sleep 30 & echo $!; exit 4"), Rows: execute.RowsAlways})
	cmd.Stdout, cmd.Stderr = writer, writer
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err = writer.Close(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if got := codeOf(cmd.ProcessState); got != 4 {
		t.Errorf("code %d, want 4", got)
	}
	output, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	var left int
	if _, err := fmt.Sscan(string(output), &left); err != nil {
		t.Fatalf("output %q: %v", output, err)
	}
	if err := syscall.Kill(left, syscall.SIGKILL); err != nil {
		t.Errorf("the process that was left behind: %v", err)
	}
}
