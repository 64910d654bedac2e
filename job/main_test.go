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

var works = map[string]func(context.Context) error{
	"success": func(context.Context) error { return nil },
	"failure": func(context.Context) error { return errors.New("no amount") },
	"code":    func(context.Context) error { return codeError(42) },
	"panic":   func(context.Context) error { panic("at the disco") },
	"stops": func(ctx context.Context) error {
		fmt.Println("ready")
		<-ctx.Done()
		return fmt.Errorf("stopped: %w", ctx.Err())
	},
	"finishes": func(ctx context.Context) error {
		fmt.Println("ready")
		<-ctx.Done()
		return nil
	},
	"hangs": func(context.Context) error {
		fmt.Println("ready")
		select {}
	},
	"waits": func(ctx context.Context) error {
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println("stopping")
		time.Sleep(200 * time.Millisecond) // Long enough for the second signal, which does nothing.
		return fmt.Errorf("stopped: %w", ctx.Err())
	},
}

// start starts a process that does work, and returns it with its output.
func start(t *testing.T, work string) (*exec.Cmd, *bufio.Reader, *bytes.Buffer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "--traceparent="+traceParent)
	cmd.Env = append(os.Environ(), asJob+"="+work)
	var failures bytes.Buffer
	cmd.Stderr = &failures
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
		"success": {0, "code 0\nmain goes on\n", ""},
		"failure": {1, "code 1\n", "job.test: no amount\n"},
		"code":    {42, "code 42\n", "job.test: code\n"},
		"panic":   {2, "code 2\n", "panic: at the disco"},
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
		signal syscall.Signal
		code   int
		stdout string
	}{
		"TERM, stops":    {"stops", syscall.SIGTERM, 143, "code 143\n"},
		"INT, stops":     {"stops", syscall.SIGINT, 130, "code 130\n"},
		"TERM, finishes": {"finishes", syscall.SIGTERM, 0, "code 0\nmain goes on\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, out, _ := start(t, tt.work)
			if line, err := out.ReadString('\n'); err != nil {
				t.Fatal(line, err)
			}
			if err := cmd.Process.Signal(tt.signal); err != nil {
				t.Fatal(err)
			}
			if text, code, killed := wait(t, cmd, out); code != tt.code || text != tt.stdout {
				t.Errorf("exit %d (%v), stdout %q; want %d, %q", code, killed, text, tt.code, tt.stdout)
			}
		})
	}
}

// A process group and its members are often signaled at once: that is one request.
func TestMain_SignaledTwice(t *testing.T) {
	t.Parallel()
	cmd, out, _ := start(t, "waits")
	if line, err := out.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("line %q, %v; want ready", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if line, err := out.ReadString('\n'); err != nil || line != "stopping\n" {
		t.Fatalf("line %q, %v; want stopping", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if text, code, killed := wait(t, cmd, out); code != 143 || text != "code 143\n" {
		t.Errorf("exit %d (%v), stdout %q; want 143, after the flush", code, killed, text)
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
