// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/waybill-go/waybill/observe"
)

// The exit codes of a shell, and the usual one of a command that fails.
const (
	codeFailure       = 1
	codeNotExecutable = 126
	codeNotFound      = 127
	codeSignal        = 128 // And the number of the signal.
)

// command is a command that runs.
type command struct{ process *os.Process }

// ending is how a command ended.
type ending struct {
	code         int
	signal       string // Such as SIGKILL, if a signal ended it.
	passedOn     bool   // That signal, or the code for it, is one that was passed on.
	user, system time.Duration
	maxRSS       int64 // Bytes; 0 if unknown.
	err          error // nil, or an *exitError.
}

// loseOutput makes the ending of a command that succeeded a failure, because its output
// was not written.
func (e *ending) loseOutput(err error) {
	if e.code == 0 {
		e.code, e.err = codeFailure, &exitError{kind: "output_lost", text: err.Error(), err: err}
	}
}

// exitError is why a command failed.
type exitError struct {
	kind string
	text string
	err  error // May be nil.
}

// Error implements error.
func (e *exitError) Error() string { return e.text }

// Unwrap returns what is behind it.
func (e *exitError) Unwrap() error { return e.err }

// ErrorType returns the value of error.type; see [observe.ErrorType].
func (e *exitError) ErrorType() string { return e.kind }

// startCommand starts argv with an environment and standard streams.
func startCommand(argv, environ []string, files []*os.File) (*command, *ending) {
	path, err := lookPath(argv[0])
	if err == nil {
		attr := &os.ProcAttr{Env: environ, Files: files, Sys: sysProcAttr()}
		var process *os.Process
		process, err = os.StartProcess(path, argv, attr)
		if errors.Is(err, syscall.ENOEXEC) { // A script without a first line that names its interpreter.
			process, err = os.StartProcess(shell, append([]string{shell, path}, argv[1:]...), attr)
		}
		if err == nil {
			return &command{process}, nil
		}
	}
	failed := &ending{code: codeNotExecutable}
	kind := "not_executable"
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
		failed.code, kind = codeNotFound, "not_found"
	}
	text := err.Error()
	if reason, ok := errors.AsType[syscall.Errno](err); ok {
		text = reason.Error()
	}
	failed.err = &exitError{kind: kind, text: fmt.Sprintf("%s: %s", argv[0], text), err: err}
	return nil, failed
}

// wait waits for the end of the command, and passes on the signals that come in.
// If a signal that ends a program was passed on, and grace is over 0, the command is
// killed when it is still there after it.
func (c *command) wait(signals <-chan os.Signal, grace time.Duration) *ending {
	ended := make(chan *ending, 1)
	go func() {
		state, err := c.process.Wait()
		if err != nil {
			ended <- &ending{code: codeNotExecutable, err: &exitError{kind: observe.ErrorTypeOther, text: err.Error(), err: err}}
			return
		}
		ended <- endingOf(state)
	}()
	var overdue <-chan time.Time
	passed := map[os.Signal]bool{}
	for {
		select {
		case s := <-signals:
			if passedByTerminal(s) {
				passed[s] = true
				continue
			}
			if c.process.Signal(s) == nil {
				passed[s] = true
			}
			if s == syscall.SIGTERM && grace > 0 && overdue == nil {
				overdue = time.After(grace)
			}
		case <-overdue:
			_ = c.process.Kill()
		case e := <-ended:
			e.judge(passed)
			return e
		}
	}
}

// judge sets the error of a command that ended by itself, or as it was told.
func (e *ending) judge(passed map[os.Signal]bool) {
	if e.code == 0 || e.err != nil {
		return
	}
	e.passedOn = endsByRequest(e.code, passed)
	if e.signal != "" {
		e.err = &exitError{kind: e.signal, text: "ended by " + e.signal}
		return
	}
	e.err = &exitError{kind: fmt.Sprintf("exit_%d", e.code), text: fmt.Sprintf("exit code %d", e.code)}
}

// endsByRequest reports whether code is that of a signal that ends a program, and
// was passed on.
func endsByRequest(code int, passed map[os.Signal]bool) bool {
	for s := range passed {
		n, ok := s.(syscall.Signal)
		if ok && int(n)+codeSignal == code {
			return s == syscall.SIGTERM || s == os.Interrupt || s == syscall.SIGHUP || s == syscall.SIGQUIT
		}
	}
	return false
}

// lookPath returns the file that a shell would run for name.
func lookPath(name string) (string, error) {
	if name == "" {
		return "", syscall.ENOENT
	}
	if strings.ContainsRune(name, filepath.Separator) || !searchesPath {
		return lookPathSystem(name)
	}
	path, ok := os.LookupEnv("PATH")
	if !ok {
		path = defaultPath
	}
	var denied error
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if dir == "" || dir == "." {
			file = "." + string(filepath.Separator) + name
		}
		switch info, err := os.Stat(file); {
		case err != nil || info.IsDir():
		case info.Mode().Perm()&0o111 != 0:
			return file, nil
		default:
			denied = syscall.EACCES
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", exec.ErrNotFound
}
