// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
)

const (
	// defaultPython is the interpreter of report.py.
	defaultPython = "python3"
	// noPython is the value of --python for the service report in Go.
	noPython = "none"
)

// reporter is the program of the service report: this one, with report.go, or report.py.
type reporter struct {
	command []string
	env     []string // What it needs beside the environment of all services.
	told    string   // Which of the two it is, and why.
}

// startReporter begins to choose the program of the service report, while the servers
// start.
func (d *demo) startReporter(ctx context.Context) (stop func(), err error) {
	if d.databricks != "" {
		return func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	d.reporter = sync.OnceValue(func() reporter { return chooseReporter(ctx, d.python, d.program) })
	go d.reporter()
	return func() { cancel(); d.reporter() }, nil
}

// launchRun is a local.Launch of the service report.
func (d *demo) launchRun(name string, command, _ []string) (wait func() error, err error) {
	return d.launchCommand(name, command, slices.Concat(d.reporter().env, d.env))
}

// chooseReporter returns report.py if the interpreter python can run it before ctx ends,
// and otherwise report.go of program.
func chooseReporter(ctx context.Context, python, program string) reporter {
	r, err := newPythonReporter(ctx, python)
	if err != nil {
		return reporter{command: []string{program, "report"}, told: "report runs in Go: " + err.Error() + "."}
	}
	return r
}

// newPythonReporter returns report.py, or an error that tells why it cannot run.
func newPythonReporter(ctx context.Context, python string) (reporter, error) {
	if python == noPython {
		return reporter{}, errors.New("--python " + noPython)
	}
	file, err := exec.LookPath(python)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, exec.ErrNotFound):
		return reporter{}, fmt.Errorf("there is no %s", python)
	case err != nil:
		return reporter{}, err
	}
	root, err := repository()
	if err != nil {
		return reporter{}, err
	}
	here := filepath.Join(root, "examples", "quakes")
	r := reporter{
		command: []string{file, filepath.Join(here, "report.py")},
		env:     pythonEnv(os.Environ(), here, filepath.Join(root, "python")),
	}
	version, err := r.check(ctx)
	if err != nil {
		return reporter{}, fmt.Errorf("%s %w", python, err)
	}
	r.told = fmt.Sprintf("report runs in %s: %s has what it needs.", version, python)
	return r, nil
}

// repository returns the directory of the repository in which the demo is run.
func repository() (root string, err error) {
	for _, root := range []string{"..", ".", "../.."} {
		if _, missing := os.Stat(filepath.Join(root, "python", "waybill_receiver.py")); missing == nil {
			return filepath.Abs(root)
		}
	}
	return "", errors.New("report.py is only in the repository")
}

// pythonEnv returns environ for report.py, with the folders of its modules. An
// interpreter needs more of it than a program in Go does, to be the one that its user
// means. A proxy or other settings of telemetry are not for the services.
func pythonEnv(environ []string, modules ...string) []string {
	env := []string{"NO_PROXY=*", "PROMETHEUS_DISABLE_CREATED_SERIES=true", "PYTHONDONTWRITEBYTECODE=1"}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case name == "PYTHONPATH":
			modules = append(modules, value)
		case !strings.HasPrefix(name, "OTEL_") && !strings.HasSuffix(strings.ToLower(name), "_proxy"):
			env = append(env, entry)
		}
	}
	return append(env, "PYTHONPATH="+strings.Join(modules, string(os.PathListSeparator)))
}

// check starts report.py to see whether it can run, and returns the version of Python.
func (r reporter) check(ctx context.Context) (version string, err error) {
	cmd := exec.CommandContext(ctx, r.command[0], append(r.command[1:], "--check")...)
	cmd.Env = r.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { signalGroup(cmd.Process, syscall.SIGKILL); return nil }
	cmd.WaitDelay = time.Second // What it has started may keep its output open.
	err = cmd.Run()
	if cmd.Process != nil {
		signalGroup(cmd.Process, syscall.SIGKILL)
	}
	version = strings.TrimSpace(stdout.String())
	switch {
	case ctx.Err() != nil:
		return "", errors.New("does not answer")
	case err != nil:
		return "", whyNot(stderr.String(), err)
	case !strings.HasPrefix(version, "Python 3."):
		return "", errors.New("is not Python 3")
	}
	return printable(version), nil
}

// whyNot returns why report.py failed with err, from the last line that it printed.
func whyNot(printed string, err error) error {
	lines := slices.DeleteFunc(strings.Split(printed, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
	if len(lines) == 0 {
		return fmt.Errorf("fails: %w", err)
	}
	last := printable(lines[len(lines)-1])
	if module, ok := strings.CutPrefix(last, "ModuleNotFoundError: No module named "); ok {
		return fmt.Errorf("has no module %s (pip install -r examples/quakes/requirements.txt)", module)
	}
	return fmt.Errorf("fails: %s", last)
}

// maxPrintable is the number of characters of a text of another program that are printed.
const maxPrintable = 200

// printable returns text on one line of the console.
func printable(text string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text))
	return strings.TrimSpace(string(runes[:min(len(runes), maxPrintable)]))
}
