// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package job_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/job"
	"github.com/waybill-go/waybill/stages"
)

// asJob names the work of a process that this program starts of itself.
const asJob = "JOB_TEST_WORK"

func TestMain(m *testing.M) {
	if work := os.Getenv(asJob); work != "" {
		runJob(work)
		return
	}
	goleak.VerifyTestMain(m)
}

// runJob is the main function of such a process. It prints the exit code on its span.
func runJob(work string) {
	if program, ok := programs[work]; ok {
		program()
		return
	}
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	p := stages.Must(stages.NewPipeline("nightly", stages.WithTracerProvider(provider)))
	print := stages.WithFlush(func(context.Context) error {
		for _, a := range spans.GetSpans()[0].Attributes {
			if a.Key == "process.exit.code" {
				fmt.Println("code", a.Value.String())
			}
		}
		return nil
	})
	job.Main(p, works[work], job.WithRunOptions(print))
	fmt.Println("main goes on")
}

// works are functions that a job runs.
var works = map[string]func(context.Context) error{
	"success":     func(context.Context) error { return nil },
	"failure":     func(context.Context) error { return errors.New("no amount") },
	"code":        func(context.Context) error { return codeError(42) },
	"over a byte": func(context.Context) error { return codeError(256) },
	"two codes": func(context.Context) error {
		return errors.Join(&job.SignalError{Signal: syscall.SIGTERM}, codeError(42))
	},
	"hostile":  func(context.Context) error { return (*exec.ExitError)(nil) },
	"deadline": func(context.Context) error { return context.DeadlineExceeded },
	"panic":    func(context.Context) error { panic("at the disco") },
	"goexit":   func(context.Context) error { runtime.Goexit(); return nil },
	"stops": func(ctx context.Context) error {
		fmt.Println("ready")
		<-ctx.Done()
		return fmt.Errorf("stopped: %w", ctx.Err())
	},
	"says why it stops": func(ctx context.Context) error {
		fmt.Println("ready")
		<-ctx.Done()
		return fmt.Errorf("stopped: %w", context.Cause(ctx))
	},
	"finishes": func(ctx context.Context) error {
		fmt.Println("ready")
		<-ctx.Done()
		return nil
	},
	"runs a command": func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, "sh", "-c", "echo ready; exec sleep 60")
		cmd.Stdout = os.Stdout
		return cmd.Run()
	},
	"hangs": func(context.Context) error {
		fmt.Println("ready")
		return hang()
	},
	"is signaled again": func(ctx context.Context) error {
		later := make(chan os.Signal, 1)
		signal.Notify(later, syscall.SIGWINCH)
		fmt.Println("ready")
		<-ctx.Done()
		for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGWINCH} { // The first would end the process.
			if err := syscall.Kill(os.Getpid(), s); err != nil {
				return err
			}
		}
		<-later
		return fmt.Errorf("stopped: %w", ctx.Err())
	},
	"writes": func(context.Context) error {
		_, err := fmt.Println(strings.Repeat("x", 1<<20))
		return err
	},
}

// hang waits for ever: the test holds the other end of standard input.
func hang() error {
	fmt.Println("hanging")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// start starts a process that does work, and returns it with its output.
func start(t *testing.T, work string) (*exec.Cmd, *bufio.Reader, *bytes.Buffer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "--traceparent="+traceParent)
	cmd.Env = append(os.Environ(), asJob+"="+work)
	var failures bytes.Buffer
	cmd.Stderr = &failures
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(out), &failures
}

// wait reads the rest of the output and returns it with the exit code, or with the
// signal that ended the process.
func wait(t *testing.T, cmd *exec.Cmd, out *bufio.Reader) (rest string, code int, killed syscall.Signal) {
	t.Helper()
	text, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return string(text), -1, status.Signal()
	}
	return string(text), status.ExitStatus(), 0
}

func TestMain_Exits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		code           int
		stdout, stderr string
	}{
		"success":     {0, "code 0\nmain goes on\n", ""},
		"failure":     {1, "code 1\n", "job.test: no amount\n"},
		"code":        {42, "code 42\n", "job.test: code\n"},
		"over a byte": {1, "code 1\n", "job.test: code\n"},
		"two codes":   {143, "code 143\n", "job.test: told to end by SIGTERM\ncode\n"},
		"hostile":     {1, "code 1\n", "job.test: <nil>\n"},
		"deadline":    {1, "code 1\n", "job.test: context deadline exceeded\n"},
		"panic":       {2, "code 2\n", "panic: at the disco"},
		"goexit":      {2, "code 2\n", "job.test: job: the function called runtime.Goexit\n"},
		"no function": {1, "", "job.test: stages: nil function\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, out, failures := start(t, name)
			text, code, killed := wait(t, cmd, out)
			if code != tt.code || killed != 0 || text != tt.stdout || !strings.HasPrefix(failures.String(), tt.stderr) {
				t.Errorf("exit %d (%v), stdout %q, stderr %q; want %d, %q, %q", code, killed, text, failures.String(), tt.code, tt.stdout, tt.stderr)
			}
		})
	}
}

func TestMain_Signals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		work   string
		signal syscall.Signal // That is sent when it is ready.
		code   int
		stdout string // After that it is ready.
		stderr string // What it begins with.
		killed syscall.Signal
	}{
		"TERM, stops":                  {work: "stops", signal: syscall.SIGTERM, code: 143, stdout: "code 143\n", stderr: "job.test: ended by SIGTERM: stopped: context canceled\n"},
		"INT, stops":                   {work: "stops", signal: syscall.SIGINT, code: 130, stdout: "code 130\n", stderr: "job.test: ended by SIGINT: stopped: context canceled\n"},
		"TERM, says why it stops":      {work: "says why it stops", signal: syscall.SIGTERM, code: 143, stdout: "code 143\n", stderr: "job.test: stopped: told to end by SIGTERM\n"},
		"TERM, finishes":               {work: "finishes", signal: syscall.SIGTERM, code: 0, stdout: "code 0\nmain goes on\n"},
		"TERM to it and to its group":  {work: "is signaled again", signal: syscall.SIGTERM, code: 143, stdout: "code 143\n", stderr: "job.test: ended by SIGTERM: stopped: context canceled\n"},
		"TERM, runs a command":         {work: "runs a command", signal: syscall.SIGTERM, code: 143, stdout: "code 143\n", stderr: "job.test: ended by SIGTERM: signal: killed\n"},
		"TERM before the work begins":  {work: "signal before", code: 143, stdout: "the work begins: context canceled\n"},
		"TERM while it flushes":        {work: "signal while flushing", signal: syscall.SIGTERM, code: 0, stdout: "flushed\nmain goes on\n"},
		"TERM while a failure flushes": {work: "signal while a failure flushes", signal: syscall.SIGTERM, code: 1, stdout: "flushed\n", stderr: "job.test: context canceled\n"},
		"TERM after the job":           {work: "signal after", signal: syscall.SIGTERM, code: -1, killed: syscall.SIGTERM},
		"TERM in the second job":       {work: "second job", signal: syscall.SIGTERM, code: 143, stdout: ""},
		"TERM after a panic":           {work: "signal after a panic", signal: syscall.SIGTERM, code: -1, killed: syscall.SIGTERM},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, out, failures := start(t, tt.work)
			if line, err := out.ReadString('\n'); err != nil {
				t.Fatal(line, err)
			}
			if tt.signal != 0 {
				if err := cmd.Process.Signal(tt.signal); err != nil {
					t.Fatal(err)
				}
			}
			text, code, killed := wait(t, cmd, out)
			if code != tt.code || killed != tt.killed || text != tt.stdout || !strings.HasPrefix(failures.String(), tt.stderr) {
				t.Errorf("exit %d (%v), stdout %q, stderr %q; want %d (%v), %q, %q", code, killed, text, failures.String(), tt.code, tt.killed, tt.stdout, tt.stderr)
			}
		})
	}
}

// A later signal ends a process whose work does not stop.
func TestMain_SecondSignal(t *testing.T) {
	t.Parallel()
	cmd, out, _ := start(t, "hangs")
	if line, err := out.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("line %q, %v; want ready", line, err)
	}
	ended := make(chan struct{})
	go func() { // Until it ends: those of the first second do nothing.
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-ended:
				return
			case <-tick.C:
			}
		}
	}()
	_, code, killed := wait(t, cmd, out)
	close(ended)
	if killed != syscall.SIGTERM {
		t.Errorf("exit %d, signal %v; want SIGTERM", code, killed)
	}
}

// A standard stream that nobody reads does not change how a job ends.
func TestMain_BrokenPipes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, work string
		broken     func(cmd *exec.Cmd, pipe *os.File)
		code       int
		killed     syscall.Signal
	}{
		{name: "standard error", work: "code", broken: func(cmd *exec.Cmd, pipe *os.File) { cmd.Stderr = pipe }, code: 42},
		{name: "standard output", work: "writes", broken: func(cmd *exec.Cmd, pipe *os.File) { cmd.Stdout = pipe }, code: -1, killed: syscall.SIGPIPE},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			_ = r.Close()
			defer func() { _ = w.Close() }()
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), asJob+"="+tt.work)
			tt.broken(cmd, w)
			_ = cmd.Run()
			status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if cmd.ProcessState.ExitCode() != tt.code || status.Signaled() && status.Signal() != tt.killed {
				t.Errorf("it ended with %v, want code %d or %v", cmd.ProcessState, tt.code, tt.killed)
			}
		})
	}
}
