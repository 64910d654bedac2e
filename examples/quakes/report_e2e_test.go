// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"

	"github.com/waybill-go/waybill/examples/internal/local"
	"github.com/waybill-go/waybill/examples/internal/program"
)

// parentTrace is the trace that the runs are in.
const parentTrace = "0af7651916cd43dd8448eb211c80319c"

// report.py does what report.go does: the same files, spans, metrics, logs and exit codes.
func TestReport_PythonAndGo(t *testing.T) {
	t.Parallel()
	inGo, inPython := reporter{command: []string{program.Build(t), "report"}}, inPython(t)
	mongo := started(t)(local.StartMongo())
	storeAssessments(t, mongo)
	const parent = "--traceparent=00-" + parentTrace + "-b7ad6b7169203331-01"
	waybill := fmt.Sprintf("--waybill=00-%014x-%014[1]x-0003", time.Now().UnixMicro())
	for name, tt := range map[string]struct {
		args  []string
		mongo string
		code  int
		log   string
		warn  string // What Python logs before.
	}{
		"in a flow": {
			args: []string{"--batch=many", parent, waybill},
			log:  `^time=T level=INFO msg=written report=many\.md regions=8 trace_id=parent span_id=S trace_flags=01 pipeline=report stage=write\n$`,
		},
		"without a waybill": {
			args: []string{"--batch=many", parent},
			log:  `msg=written report=many\.md regions=8 trace_id=parent`,
		},
		"without a context": {
			args: []string{"--batch=many"},
			log:  `^time=T level=INFO msg=written report=many\.md regions=8 trace_id=new `,
		},
		"a malformed context": {
			args: []string{"--batch=many", "--traceparent=00-xyz"},
			log:  `^time=T level=INFO msg=written report=many\.md regions=8 trace_id=new `,
			warn: "time=T level=WARN msg=\"the job starts a new trace: its context is malformed: traceparent '00-xyz'\"\n",
		},
		"a name with spaces": {
			args: []string{`--batch=the "first" = 1 %s`, parent},
			log:  `^time=T level=INFO msg=written report="the \\"first\\" = 1 %s\.md" regions=0 trace_id=parent`,
		},
		"parameters that it does not know": {
			args: []string{"--batch=none", "--region=Japan=1", "--flag", parent},
			log:  `msg=written report=none\.md regions=0 `,
		},
		"no assessment": {
			args: []string{"--batch=missing", parent, waybill}, code: 1,
			log: `^report: the assessment of the batch "missing": .*\n$`,
		},
		"no server": {
			args: []string{"--batch=many", parent, waybill}, mongo: "mongodb://127.0.0.1:1", code: 1,
			log: `^report: .*127\.0\.0\.1:1.*\n$`,
		},
		"a directory that is not there": {
			args: []string{"--batch=no/such/directory", parent, waybill}, code: 1,
			log: `^report: .*no/such/directory\.md.*\n$`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.mongo == "" {
				tt.mongo = mongo
			}
			want, got := startReport(t, inGo, tt.mongo, tt.args).wait(t), startReport(t, inPython, tt.mongo, tt.args).wait(t)
			got.log = strings.TrimPrefix(got.log, tt.warn)
			if diff := cmp.Diff(want.reports, got.reports); diff != "" {
				t.Errorf("the reports (-Go +Python):\n%s", diff)
			}
			if diff := cmp.Diff(want.spans, got.spans); diff != "" {
				t.Errorf("the spans (-Go +Python):\n%s", diff)
			}
			if diff := cmp.Diff(want.metrics, got.metrics); diff != "" {
				t.Errorf("the metrics (-Go +Python):\n%s", diff)
			}
			for language, run := range map[string]ran{"Go": want, "Python": got} {
				if run.code != tt.code || !regexp.MustCompile(tt.log).MatchString(run.log) {
					t.Errorf("%s ends with %d, want %d, and logs\n%s\nwant %s", language, run.code, tt.code, run.log, tt.log)
				}
			}
		})
	}
}

// Both end well when they are told to, in the middle of their work and after it.
func TestReport_PythonAndGoEnd(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // It takes connections and says nothing.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	atWork := func(r *startedReport) bool { return !r.pushes.LastPush("run-1").IsZero() }
	done := func(r *startedReport) bool { return newTally(r.pushes).runs("write") > 0 }
	mongo := started(t)(local.StartMongo())
	storeAssessments(t, mongo)
	reporters := map[string]reporter{"Go": {command: []string{program.Build(t), "report"}}, "Python": inPython(t)}
	for how, tt := range map[string]struct {
		mongo string
		when  func(*startedReport) bool
		end   func(*startedReport)
		want  string // The outcome on the spans.
	}{
		"interrupted at work": {
			mongo: "mongodb://" + silent.Addr().String(), when: atWork, want: "cancelled",
			end: func(r *startedReport) { _ = r.cmd.Process.Signal(syscall.SIGINT) },
		},
		"terminated at work": {
			mongo: "mongodb://" + silent.Addr().String(), when: atWork, want: "cancelled",
			end: func(r *startedReport) { _ = r.cmd.Process.Signal(syscall.SIGTERM) },
		},
		"without its supervisor": {
			mongo: "mongodb://" + silent.Addr().String(), when: atWork, want: "cancelled",
			end: func(r *startedReport) { _ = r.stdin.Close() },
		},
		"interrupted when it is done": {
			mongo: mongo, when: done, want: "success",
			end: func(r *startedReport) { _ = r.cmd.Process.Signal(syscall.SIGINT) }, // It may have ended.
		},
	} {
		for language, reporter := range reporters {
			t.Run(language+" "+how, func(t *testing.T) {
				t.Parallel()
				r := startReport(t, reporter, tt.mongo, []string{"--batch=many"})
				waitUntil(t, func() bool { return tt.when(r) })
				tt.end(r)
				got := r.wait(t)
				log := regexp.MustCompile(`^(time=T level=INFO msg=written .*\n)?$`)
				if got.code != 0 || !log.MatchString(got.log) {
					t.Errorf("it ends with %d, want 0, and logs\n%s", got.code, got.log)
				}
				if len(got.spans) != 2 || !strings.Contains(got.spans[0], "etl.outcome="+tt.want) {
					t.Errorf("the spans are %q, want the outcome %s", got.spans, tt.want)
				}
			})
		}
	}
}

// storeAssessments stores batches with what Python and Go may format in two ways.
func storeAssessments(t *testing.T, uri string) {
	t.Helper()
	client, err := connect(uri)
	if err != nil {
		t.Fatal(err)
	}
	many := assessment{Batch: "many"}
	for i, strongest := range []float64{9.25, 9.35, 8.45, 8.449999999, 7, 6.05, 5.149999999999999, 4.95} {
		many.Regions = append(many.Regions, region{
			Name: fmt.Sprintf("Ağrı | %%d \\ 日本 %d", i), Quakes: 1 << (5 * i), Strongest: strongest, Place: "22km \"NNE\" of {x}\u2028\r<b>",
		})
	}
	for _, a := range []assessment{many, {Batch: "none"}, {Batch: `the "first" = 1 %s`, Regions: []region{}}, {Batch: "no/such/directory"}} {
		if _, err := client.Database("quakes").Collection(collectionAssessments).InsertOne(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Disconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// startedReport is a run of the service report with servers of its own.
type startedReport struct {
	cmd     *exec.Cmd
	stdin   io.Closer
	log     bytes.Buffer
	reports string
	traces  *local.Traces
	pushes  *local.Pushes
}

func startReport(t *testing.T, report reporter, mongo string, args []string) *startedReport {
	t.Helper()
	r := &startedReport{reports: t.TempDir()}
	traces, otlp, stop, err := local.StartTraces(filepath.Join(t.TempDir(), spansFile), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	pushes, gateway, stop, err := local.StartPushes()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	r.traces, r.pushes = traces, pushes
	r.cmd = exec.CommandContext(t.Context(), report.command[0], slices.Concat(report.command[1:], args)...)
	r.cmd.Env = append(slices.Clip(report.env), envMongo+"="+mongo, envDatabase+"=quakes", envReports+"="+r.reports,
		envOTLP+"="+otlp, envPushgateway+"="+gateway, envInstance+"=run-1", envSupervised+"=1")
	r.cmd.Stdout, r.cmd.Stderr = &r.log, &r.log
	if r.stdin, err = r.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// ran is what a run has left, in a form that can be compared.
type ran struct {
	code    int
	log     string
	reports map[string]string
	spans   []string
	metrics []string
}

func (r *startedReport) wait(t *testing.T) ran {
	t.Helper()
	_ = r.cmd.Wait() // The exit code has its result.
	done := ran{code: r.cmd.ProcessState.ExitCode(), log: steady(r.log.String()), reports: map[string]string{}}
	err := filepath.WalkDir(r.reports, func(file string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var text []byte
			text, err = os.ReadFile(file)
			done.reports[filepath.Base(file)] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range flowOf(r.traces.Received()).graph.Spans() {
		attributes := map[string]string{}
		for _, a := range s.Attributes {
			// The first two are only in Python, and errors have the names of each language.
			if key := string(a.Key); key != "waybill.extract" && key != "process.exit.code" && key != "error.type" {
				attributes[key] = key + "=" + a.Value.String()
			}
		}
		done.spans = append(done.spans, steady(fmt.Sprintf("%s kind=%s trace=%s child=%t remote=%t status=%s %s", s.Label(), s.Kind,
			s.ID.Trace, s.Parent.Span.IsValid(), s.Remote, s.Status, strings.Join(slices.Sorted(maps.Values(attributes)), " "))))
	}
	slices.Sort(done.spans)
	families, err := r.pushes.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if line := seriesOf(family, metric); line != "" {
				done.metrics = append(done.metrics, line)
			}
		}
	}
	slices.Sort(done.metrics)
	return done
}

// seriesOf returns a series of a run of a stage as text, or an empty string for another
// or one without observations.
func seriesOf(family *dto.MetricFamily, metric *dto.Metric) string {
	name := family.GetName()
	if name == "etl_memory_bytes" || strings.HasPrefix(name, "etl_telemetry_") {
		return ""
	}
	var line strings.Builder
	fmt.Fprintf(&line, "%s (%s, %s)", name, family.GetType(), family.GetHelp())
	for _, label := range metric.GetLabel() {
		if label.GetName() != "error_type" {
			fmt.Fprintf(&line, " %s=%s", label.GetName(), label.GetValue())
		}
	}
	switch h := metric.GetHistogram(); {
	case h != nil && h.GetSampleCount() == 0:
		return ""
	case h != nil:
		fmt.Fprint(&line, ": ", h.GetSampleCount())
		for _, bucket := range h.GetBucket() {
			if !math.IsInf(bucket.GetUpperBound(), 1) { // The text format has it, the other has not.
				fmt.Fprint(&line, " ", bucket.GetUpperBound())
			}
		}
	case metric.GetCounter() != nil:
		fmt.Fprint(&line, ": ", metric.GetCounter().GetValue())
	case !strings.HasSuffix(name, "_timestamp_seconds"):
		fmt.Fprint(&line, ": ", metric.GetGauge().GetValue())
	}
	return line.String()
}

var (
	timestamp = regexp.MustCompile(`\btime=\S+`)
	traceID   = regexp.MustCompile(`\b(trace|trace_id)=[0-9a-f]{32}\b`)
	spanID    = regexp.MustCompile(`\bspan_id=[0-9a-f]{16}\b`)
)

// steady returns text without what differs from run to run.
func steady(text string) string {
	text = strings.ReplaceAll(text, parentTrace, "parent")
	text = timestamp.ReplaceAllString(text, "time=T")
	text = spanID.ReplaceAllString(text, "span_id=S")
	return traceID.ReplaceAllString(text, "$1=new")
}
