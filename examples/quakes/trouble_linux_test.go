// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-go/waybill/examples/internal/local"
	"github.com/waybill-go/waybill/examples/internal/program"
)

func TestDemo_ReaderThatGoesAwayEndsIt(t *testing.T) {
	t.Parallel()
	file := program.Build(t)
	for _, lines := range []int{1, 3, 5} {
		t.Run(fmt.Sprint("head -", lines), func(t *testing.T) {
			t.Parallel()
			temporary := t.TempDir()
			cmd := exec.Command(file, inGo)
			cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			reader := bufio.NewReader(stdout)
			for range lines {
				if _, err := reader.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			_ = stdout.Close()
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 141 || stderr.Len() > 0 {
				t.Errorf("the exit status is %d, want 141, and it says %q", code, stderr.String())
			}
			requireEmpty(t, temporary)
		})
	}
}

func TestDemo_WorkerThatIsStoppedIsNamed(t *testing.T) {
	t.Parallel()
	file := program.Build(t)
	cmd := exec.Command(file, inGo, "--out", t.TempDir(), "--timeout", "10s")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	lines := bufio.NewReader(stdout)
	readUntil(lines, regexp.MustCompile("events published"))
	worker := processOf(t, file, "clean")
	if err := syscall.Kill(worker, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, lines)
	_ = cmd.Wait()

	want := regexp.MustCompile(fmt.Sprintf(`^quakes: clean-[12] \(process %d\) has been silent for 10s: it hangs or was stopped\n(  .*\n)*Its log is .*/logs/clean-[12]\.log\n$`, worker))
	if code := cmd.ProcessState.ExitCode(); code != 1 || !want.MatchString(stderr.String()) {
		t.Errorf("the exit status is %d, and it says:\n%s", code, stderr.String())
	}
	if left := running(t, file); len(left) > 0 {
		t.Errorf("still running: %v", left)
	}
}

// processOf returns the id of a process that runs service.
func processOf(t *testing.T, file, service string) int {
	t.Helper()
	for pid, line := range running(t, file) {
		if strings.HasSuffix(line, " "+service) {
			return pid
		}
	}
	t.Fatalf("no process runs %s: %v", service, running(t, file))
	return 0
}

func TestSupervisor_FullDiskStillTellsWhyAProcessFailed(t *testing.T) {
	t.Parallel()
	logs := t.TempDir()
	if err := os.Symlink("/dev/full", filepath.Join(logs, "assess.log")); err != nil {
		t.Fatal(err)
	}
	s := newSupervisor(program.Build(t), logs)
	p, err := s.start("assess", []string{s.program, "assess"}, []string{envMongo + "=bad"})
	if err != nil {
		t.Fatal(err)
	}
	<-p.ended
	got := fmt.Sprint(p.err)
	for _, want := range []string{
		"assess ended with exit status 1\n  assess: ",
		"\nIts log is not complete: write " + filepath.Join(logs, "assess.log") + ": no space left on device",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("its failure is\n%s\nwant in it\n%s", got, want)
		}
	}
	if err := s.logErr(); err == nil || !strings.HasPrefix(err.Error(), "the log of assess cannot be kept: ") {
		t.Errorf("the error of the logs is %v", err)
	}
}

func TestStartTraces_FullDiskIsAnError(t *testing.T) {
	t.Parallel()
	traces, url, stop, err := local.StartTraces("/dev/full", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	if err := local.SendTraces(url, nil); err != nil {
		t.Fatal(err)
	}
	const want = "the spans cannot be kept: write /dev/full: no space left on device"
	if got := fmt.Sprint(traces.WriteErr()); got != want {
		t.Errorf("WriteErr() = %s, want %s", got, want)
	}
	if len(traces.Received()) != 1 {
		t.Errorf("%d requests were received, want 1", len(traces.Received()))
	}
}

func TestParse_RefusesWhatMeansNothing(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args []string
		want string
	}{
		"empty kafka":      {args: []string{"--kafka", ""}, want: "--kafka has no value"},
		"empty mongo":      {args: []string{"--mongo="}, want: "--mongo has no value"},
		"empty kubeconfig": {args: []string{"--kubeconfig", ""}, want: "--kubeconfig has no value"},
		"empty databricks": {args: []string{"--databricks", ""}, want: "--databricks has no value"},
		"empty otlp":       {args: []string{"--otlp", ""}, want: "--otlp has no value"},
		"empty metrics":    {args: []string{"--metrics", ""}, want: "--metrics has no value"},
		"empty out":        {args: []string{"--out", ""}, want: "--out has no value"},
		"empty python":     {args: []string{"--python", ""}, want: "--python has no value"},
		"empty break":      {args: []string{"--break", ""}, want: "--break has no value"},
		"unknown fault":    {args: []string{"--break", "all"}, want: `--break "all" is not one of inject, background, stale, job and end`},
		"too few events":   {args: []string{"--events", "14"}, want: "--events 14 is not at least 15"},
		"no timeout":       {args: []string{"--timeout", "0s"}, want: "--timeout 0s is not more than 0"},
		"no workers":       {args: []string{"--workers", "0"}, want: "--workers 0 is not from 1 to 6, the number of partitions"},
		"argument":         {args: []string{"run"}, want: `there is no argument "run"`},
		"unknown flag":     {args: []string{"--x"}, want: "flag provided but not defined: -x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(tt.args); fmt.Sprint(err) != tt.want {
				t.Errorf("parse(%q) = %v, want %s", tt.args, err, tt.want)
			}
		})
	}
}

func TestDemo_OutThatIsAFileIsRefusedOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	printed, err := exec.Command(program.Build(t), "--out", file).CombinedOutput()
	if want := "quakes: " + file + " (--out) is not a directory\n"; string(printed) != want || err == nil {
		t.Errorf("it ends with %v and prints\n%s\nwant\n%s", err, printed, want)
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"[::]:18000":      "127.0.0.1:18000",
		"0.0.0.0:18000":   "127.0.0.1:18000",
		"127.0.0.1:18000": "127.0.0.1:18000",
		"[::1]:18000":     "[::1]:18000",
		"10.1.2.3:80":     "10.1.2.3:80",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := reachable(tcp); got != want {
			t.Errorf("reachable(%s) = %s, want %s", addr, got, want)
		}
	}
}

func TestWrapped(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text  string
		width int
		want  string
	}{
		"short":     {text: "one two\n", width: 80, want: "one two\n"},
		"just fits": {text: "one two\n", width: 7, want: "one two\n"},
		"too wide":  {text: "one two three\n", width: 8, want: "one two\nthree\n"},
		"long word": {text: "one\nabcdefghij two\n", width: 5, want: "one\nabcdefghij\ntwo\n"},
		"umlauts":   {text: "äöü äöü\n", width: 7, want: "äöü äöü\n"},
		"indented":  {text: "  one two\n", width: 80, want: "  one two\n"},
		"empty":     {text: "\n", width: 5, want: "\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := wrapped(tt.text, tt.width); got != tt.want {
				t.Errorf("wrapped(%q, %d) = %q, want %q", tt.text, tt.width, got, tt.want)
			}
		})
	}
}

func TestProcessLog_KeepsItsEnd(t *testing.T) {
	t.Parallel()
	log, err := newProcessLog(filepath.Join(t.TempDir(), "x.log"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10_000 {
		if _, err = fmt.Fprintf(log, "line %d\n", n); err != nil {
			t.Fatal(err)
		}
	}
	log.close()
	want := "  line 9995\n  line 9996\n  line 9997\n  line 9998\n  line 9999\nIts log is " + log.name
	if got := log.end(); got != want {
		t.Errorf("end() = %q, want %q", got, want)
	}
	text, err := os.ReadFile(log.name)
	if err != nil || strings.Count(string(text), "\n") != 10_000 || cap(log.last) > 2*endBytes {
		t.Errorf("the file has %d lines, want 10000; %d bytes are in memory; %v", strings.Count(string(text), "\n"), cap(log.last), err)
	}
}

func TestSupervisor_SilentNamesTheProcess(t *testing.T) {
	t.Parallel()
	s := newSupervisor("", t.TempDir())
	for _, name := range []string{"first", "second"} {
		if _, err := s.start(name, []string{"sleep", "60"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { s.stop() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	heard := func(process string) time.Time {
		if process == "first" {
			return time.Now()
		}
		return time.Time{}
	}
	if err := s.silent(time.Hour, heard); err != nil {
		t.Errorf("at the start: %v", err)
	}
	var err error
	for err == nil && ctx.Err() == nil {
		err = s.silent(time.Millisecond, heard)
	}
	if got := fmt.Sprint(err); !strings.HasPrefix(got, "second (process ") || !strings.Contains(got, ") has been silent for 1ms: it hangs or was stopped\n") {
		t.Errorf("silent() = %s", got)
	}
}
