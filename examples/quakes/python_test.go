// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"

	"github.com/waybill-go/waybill/examples/internal/program"
)

// interpreter returns a file that a shell runs in place of Python. Its "$2" is --check
// when the demo asks whether it can run report.py.
func interpreter(t *testing.T, script string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestChooseReporter(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	reportPy, err := filepath.Abs("report.py")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		python  string
		timeout time.Duration
		inGo    bool
		told    string // With PYTHON in place of the file.
	}{
		"python that can run it": {
			python: interpreter(t, `echo "Python 3.13.1"`),
			told:   "report runs in Python 3.13.1: PYTHON has what it needs.",
		},
		"python that warns": {
			python: interpreter(t, `echo "DeprecationWarning" >&2; echo "Python 3.13.1"`),
			told:   "report runs in Python 3.13.1: PYTHON has what it needs.",
		},
		"no python": {
			python: "/nowhere/python3", inGo: true,
			told: "report runs in Go: there is no PYTHON.",
		},
		"no python on the path": {
			python: "python-that-is-not-there", inGo: true,
			told: "report runs in Go: there is no PYTHON.",
		},
		"a file that cannot be run": {
			python: text, inGo: true,
			told: `report runs in Go: exec: "PYTHON": permission denied.`,
		},
		"a module is missing": {
			python: interpreter(t, `printf 'Traceback (most recent call last):\n  File "report.py"\nModuleNotFoundError: No module named '"'pymongo'"'\n\n' >&2; exit 1`), inGo: true,
			told: "report runs in Go: PYTHON has no module 'pymongo' (pip install -r examples/quakes/requirements.txt).",
		},
		"a module that fails": {
			python: interpreter(t, `printf 'TypeError: \033[31mbroken\033[0m protobuf\n' >&2; exit 1`), inGo: true,
			told: "report runs in Go: PYTHON fails: TypeError: [31mbroken[0m protobuf.",
		},
		"a module that fails with a long text": {
			python: interpreter(t, `printf '%0300d' 0 >&2; exit 1`), inGo: true,
			told: "report runs in Go: PYTHON fails: " + strings.Repeat("0", 200) + ".",
		},
		"python that fails without a word": {
			python: interpreter(t, `exit 3`), inGo: true,
			told: "report runs in Go: PYTHON fails: exit status 3.",
		},
		"python that crashes": {
			python: interpreter(t, `kill -SEGV $$`), inGo: true,
			told: "report runs in Go: PYTHON fails: signal: segmentation fault.",
		},
		"something else than python": {
			python: interpreter(t, `echo hello`), inGo: true,
			told: "report runs in Go: PYTHON is not Python 3.",
		},
		"python that hangs": {
			python: interpreter(t, `sleep 600`), timeout: 100 * time.Millisecond, inGo: true,
			told: "report runs in Go: PYTHON does not answer.",
		},
		"python that leaves a process": {
			python: interpreter(t, `sleep 600 & echo "Python 3.13.1"`), inGo: true,
			told: "report runs in Go: PYTHON fails: exec: WaitDelay expired before I/O complete.",
		},
		"none": {
			python: noPython, inGo: true,
			told: "report runs in Go: --python PYTHON.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(tt.timeout, time.Minute))
			defer cancel()
			got := chooseReporter(ctx, tt.python, "quakes")
			if told := strings.ReplaceAll(got.told, tt.python, "PYTHON"); told != tt.told {
				t.Errorf("it tells %q, want %q", told, tt.told)
			}
			want := []string{"quakes", "report"}
			if !tt.inGo {
				want = []string{tt.python, reportPy}
			}
			if diff := gocmp.Diff(want, got.command); diff != "" {
				t.Errorf("the command (-want +got):\n%s", diff)
			}
		})
	}
}

// TestChooseReporter_OutsideOfTheRepository is not parallel, because it changes the
// directory of the process.
func TestChooseReporter_OutsideOfTheRepository(t *testing.T) {
	python := interpreter(t, `echo "Python 3.13.1"`)
	t.Chdir(t.TempDir())
	const want = "report runs in Go: report.py is only in the repository."
	if got := chooseReporter(t.Context(), python, "quakes").told; got != want {
		t.Errorf("it tells %q, want %q", got, want)
	}
}

func TestPythonEnv(t *testing.T) {
	t.Parallel()
	got := pythonEnv([]string{
		"HOME=/home/user", "OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_OTLP_HEADERS=key=secret",
		"http_proxy=http://proxy", "ALL_PROXY=http://proxy", "no_proxy=example.com",
		"PYTHONPATH=/packages", "VIRTUAL_ENV=/venv=1", "=C:=C:\\",
	}, "/quakes", "/python")
	want := []string{
		"NO_PROXY=*", "PROMETHEUS_DISABLE_CREATED_SERIES=true", "PYTHONDONTWRITEBYTECODE=1", "HOME=/home/user", "VIRTUAL_ENV=/venv=1", "=C:=C:\\",
		"PYTHONPATH=" + strings.Join([]string{"/quakes", "/python", "/packages"}, string(os.PathListSeparator)),
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("the environment (-want +got):\n%s", diff)
	}
}

// A run of report.py that fails is named like any other process, with the end of its log.
func TestDemo_PythonThatFails(t *testing.T) {
	t.Parallel()
	python := interpreter(t, `if [ "$2" = --check ]; then echo "Python 3.13.1"; exit; fi
echo "$@"; echo "$QUAKES_INSTANCE in $PYTHONPATH" >&2; exit 3`)
	out := t.TempDir()
	printed, err := exec.Command(program.Build(t), "--python", python, "--events", fewEvents, "--out", out).CombinedOutput()
	if err == nil {
		t.Fatalf("it ends well:\n%s", printed)
	}
	for _, want := range []string{
		`(?m)^report runs in Python 3\.13\.1: ` + regexp.QuoteMeta(python) + ` has what it needs\.$`,
		`(?m)^quakes: run-1 ended with exit status 3\n` +
			`  \S+/examples/quakes/report\.py --batch=assess-[0-9-]+ --traceparent=00-[0-9a-f]{32}-[0-9a-f]{16}-01 --waybill=00-[0-9a-f-]+\n` +
			`  run-1 in \S+/examples/quakes:\S+/python(:\S*)?\n` +
			`Its log is ` + regexp.QuoteMeta(filepath.Join(out, "logs", "run-1.log")) + `$`,
	} {
		if !regexp.MustCompile(want).Match(printed) {
			t.Errorf("nothing printed matches %s\n%s", want, printed)
		}
	}
}

// An interpreter that hangs delays the demo, and does not stop it.
func TestDemo_PythonThatHangs(t *testing.T) {
	t.Parallel()
	python := interpreter(t, "sleep 600 & sleep 600")
	printed := program.Output(t, "--python", python, "--events", fewEvents, "--out", t.TempDir())
	if want := "\nreport runs in Go: " + python + " does not answer.\n"; !strings.Contains(printed, want) {
		t.Errorf("nothing printed is %q:\n%s", want, printed)
	}
	if left := running(t, "/bin/sh "+python); len(left) > 0 {
		t.Errorf("still running: %v", left)
	}
}

// The clients of other languages have histograms without native buckets.
func TestTally_QuantilesOfClassicHistograms(t *testing.T) {
	t.Parallel()
	var metrics []*dto.Metric
	for _, seconds := range []float64{0.02, 0.04, 0.03} {
		metrics = append(metrics, &dto.Metric{Histogram: &dto.Histogram{
			SampleCount: new(uint64(1)), SampleSum: &seconds,
			Bucket: []*dto.Bucket{{UpperBound: new(0.01), CumulativeCount: new(uint64(0))}, {UpperBound: new(0.1), CumulativeCount: new(uint64(1))}},
		}})
	}
	got := tally{"seconds": metrics}.quantiles("seconds", nil, 0.5, 0.95)
	want := []time.Duration{30 * time.Millisecond, 40 * time.Millisecond}
	if !slices.Equal(got, want) {
		t.Errorf("the median and the 95th percentile are %v, want %v", got, want)
	}
}
