// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waybill-go/waybill/cmd/waybill/internal/execute"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// running is a command that has said that it is ready.
type running struct {
	*exec.Cmd

	output *bufio.Reader
}

// start starts cmd and reads its first line, which it returns.
func start(t *testing.T, cmd *exec.Cmd) (r *running, first string) {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	r = &running{cmd, bufio.NewReader(stdout)}
	first, err = r.output.ReadString('\n')
	if err != nil {
		t.Fatalf("the command printed %q: %v", first, err)
	}
	return r, strings.TrimSpace(first)
}

// end returns the rest of the output and the exit code.
func (r *running) end(t *testing.T) (output string, code int) {
	t.Helper()
	rest, err := io.ReadAll(r.output)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Wait()
	return string(rest), codeOf(r.ProcessState)
}

func TestRun_PassesSignals(t *testing.T) {
	t.Parallel()
	names := []string{"TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "WINCH", "ALRM", "RTMIN+3"}
	for _, name := range names {
		number := unix.SignalNum("SIG" + name)
		if name == "RTMIN+3" {
			number = 37
		}
		for _, tt := range []struct {
			name   string
			script string
		}{
			{name: "default", script: "ulimit -c 0; echo ready; sleep 0.2; exit 9"},
			{name: "trapped", script: "trap 'echo trapped; exit 42' %[1]d; echo ready; while :; do sleep 0.01; done"},
			{name: "trapped, and goes on", script: "trap 'on=1' %[1]d; echo ready; while [ -z $on ]; do sleep 0.01; done; echo on"},
		} {
			t.Run(name+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				script := tt.script
				if strings.Contains(script, "%") {
					script = fmt.Sprintf(script, number)
				}
				results := map[string]string{}
				for kind, cmd := range map[string]*exec.Cmd{
					"alone":    exec.CommandContext(t.Context(), "/bin/sh", "-c", script),
					"as a job": job(t, execute.Config{Command: []string{"/bin/sh", "-c", script}}),
				} {
					r, _ := start(t, cmd)
					if err := r.Process.Signal(number); err != nil {
						t.Fatal(err)
					}
					output, code := r.end(t)
					results[kind] = fmt.Sprintf("%q, %d", output, code)
				}
				if results["alone"] != results["as a job"] {
					t.Errorf("alone: %s; as a job: %s", results["alone"], results["as a job"])
				}
			})
		}
	}
}

func TestRun_Canceled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		script string
		want   string // The outcome.
		code   int
	}{
		{name: "by the signal", script: "echo ready; exec sleep 60", want: "cancelled", code: 143},
		{name: "by its own code", script: "trap 'exit 143' TERM; echo ready; while :; do sleep 0.01; done", want: "cancelled", code: 143},
		{name: "to the end", script: "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done", want: "success"},
		{name: "with a failure", script: "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done", want: "failure", code: 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			endpoint, received := newHTTPCollector(t)
			r, _ := start(t, job(t, execute.Config{Command: sh("%s", tt.script), FlushTimeout: time.Minute}, "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint))
			if err := r.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if _, code := r.end(t); code != tt.code {
				t.Errorf("code %d, want %d", code, tt.code)
			}
			span, _ := received.only(t)
			if got := attributesOf(span.Attributes)["etl.outcome"]; got != tt.want {
				t.Errorf("outcome %v, want %s", got, tt.want)
			}
		})
	}
}

func TestRun_Grace(t *testing.T) {
	t.Parallel()
	r, _ := start(t, job(t, execute.Config{Command: sh("trap '' TERM; echo ready; exec sleep 60"), Grace: 50 * time.Millisecond}))
	if err := r.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, code := r.end(t); code != 128+int(syscall.SIGKILL) {
		t.Errorf("code %d, want that of SIGKILL", code)
	}
}

// TestRun_KilledWithJob kills the job, which must not leave its command behind.
func TestRun_KilledWithJob(t *testing.T) {
	t.Parallel()
	r, pid := start(t, job(t, execute.Config{Command: sh("echo $$; exec sleep 60"), Rows: execute.RowsNever}))
	if err := r.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the command is gone", func() bool {
		_, state := statOf(pid)
		return state == "" || state == "Z"
	})
	_, _ = r.end(t)
}

// TestRun_IgnoredSignals is the case of nohup, and of a job in the background of a script.
func TestRun_IgnoredSignals(t *testing.T) {
	t.Parallel()
	inner := job(t, execute.Config{Command: sh("kill -HUP $$; kill -INT $$; kill -HUP $PPID; echo on")})
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "trap '' HUP INT; exec "+inner.Path)
	cmd.Env = inner.Env
	if got := observed(t, cmd, ""); got.code != 0 || got.stdout != "on\n" {
		t.Errorf("code %d, output %q; want that the signals are ignored", got.code, got.stdout)
	}
}

func TestRun_ProcessGroup(t *testing.T) {
	t.Parallel()
	r, stat := start(t, job(t, execute.Config{Command: sh("cat /proc/$PPID/stat /proc/$$/stat | cut -d' ' -f5,6 | sort -u | wc -l; read line")}))
	if stat != "1" {
		t.Errorf("%s groups and sessions, want that the command stays in those of the job", stat)
	}
	_, _ = r.end(t)
}

// TestRun_Terminal interrupts the foreground of a terminal: the command gets the signal
// from the terminal, and not again from the job.
func TestRun_Terminal(t *testing.T) {
	t.Parallel()
	const script = "trap 'echo INT >> %s' INT; trap 'exit 8' TERM; echo ready; while :; do sleep 0.01; done"
	t.Run("in the foreground", func(t *testing.T) {
		t.Parallel()
		count := filepath.Join(t.TempDir(), "count")
		cmd, terminal := inTerminal(t, sh(script, count))
		if _, err := terminal.WriteString("\x03"); err != nil {
			t.Fatal(err)
		}
		waitUntil(t, "the command got SIGINT", func() bool { content, _ := os.ReadFile(count); return len(content) > 0 })
		terminate(t, cmd)
	})
	t.Run("in a session of its own", func(t *testing.T) {
		t.Parallel()
		count := filepath.Join(t.TempDir(), "count")
		cmd, _ := inTerminal(t, append([]string{"setsid"}, sh(script, count)...))
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		terminate(t, cmd)
		if content, err := os.ReadFile(count); err == nil {
			t.Errorf("the command got %q, which the terminal did not send to it", content)
		}
	})
}

// inTerminal starts a job in the foreground of a terminal of its own, and waits until
// it is ready.
func inTerminal(t *testing.T, command []string) (cmd *exec.Cmd, terminal *os.File) {
	t.Helper()
	terminal, slave := openTerminal(t)
	cmd = job(t, execute.Config{Command: command})
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if line, err := bufio.NewReader(terminal).ReadString('\n'); err != nil || !strings.Contains(line, "ready") {
		t.Fatalf("the terminal shows %q: %v", line, err)
	}
	return cmd, terminal
}

// terminate ends a job whose command then exits with 8.
func terminate(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := codeOf(cmd.ProcessState); code != 8 {
		t.Errorf("code %d, want 8", code)
	}
}

// openTerminal returns both ends of a terminal.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return master, slave
}

// orphans leaves three processes behind, and waits for a line.
const orphans = "(sleep 0.05 & sleep 0.05 & sleep 0.05 &); echo $PPID; read line; exit 5"

func TestRun_ReapsOrphans(t *testing.T) {
	t.Parallel()
	cmd := job(t, execute.Config{Command: sh(orphans)}, subreaperName+"=1")
	testReaps(t, cmd)
}

// TestRun_InitProcess is the job as the first process of a container.
func TestRun_InitProcess(t *testing.T) {
	t.Parallel()
	cmd := job(t, execute.Config{Command: sh(orphans)})
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
	}
	probe := exec.CommandContext(t.Context(), "/bin/true")
	probe.SysProcAttr = cmd.SysProcAttr
	if err := probe.Run(); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Logf("namespaces are not permitted here (%v): TestRun_ReapsOrphans tests the same in this one", err)
		return
	}
	testReaps(t, cmd)
}

func testReaps(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, _ := start(t, cmd)
	pid := strconv.Itoa(r.Process.Pid)
	waitUntil(t, "the orphans are reaped", func() bool {
		children := childrenOf(t, pid)
		return len(children) == 1 && children[0] != "Z"
	})
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if _, code := r.end(t); code != 5 {
		t.Errorf("code %d, want 5", code)
	}
}

// childrenOf returns the states of the children of a process.
func childrenOf(t *testing.T, pid string) (states []string) {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		if parent, state := statOf(filepath.Base(p)); parent == pid {
			states = append(states, state)
		}
	}
	return states
}

// statOf returns the parent and the state of a process; they are empty if it is gone.
func statOf(pid string) (parent, state string) {
	content, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return "", ""
	}
	_, rest, _ := strings.Cut(string(content), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return "", ""
	}
	return fields[1], fields[0]
}

// waitUntil waits until done reports true.
func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		<-tick.C
	}
}
