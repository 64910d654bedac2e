// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/waybill-go/waybill/examples/internal/local"
	"github.com/waybill-go/waybill/examples/internal/program"
	"github.com/waybill-go/waybill/internal/flow"
)

// events and quakes are how many there are, and how many of them can be loaded.
const events, quakes = 1707, 1654

// inGo is the flag of tests that do not depend on the Python of the machine.
const inGo = "--python=" + noPython

func TestDemo(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	leaveEarlierRun(t, out)
	printed := program.Output(t, inGo, "--out", out)
	t.Log("\n" + printed)

	t.Run("prints the flow and the figures", func(t *testing.T) {
		for _, want := range []string{
			`(?m)^  (?:assess|report) +.*\n\nThe flow as a page: open /.*/flow\.html in a browser\.\n\nThe flow: LINKED`,
			`(?m)^report runs in Go: --python none\\.$`,
			`(?m)^The flow: LINKED: one flow of [0-9,]+ spans, 5 services, [0-9]+ traces, joined by links$`,
			`(?m)^clean .* process quakes.raw ×1,707 `,
			`(?m)^  [0-9a-f]{32}  [0-9,]+ spans, from ingest quakes$`,
			`(?m)^  [0-9a-f]{32}  [0-9]+ spans, from dispatch process quakes$`,
			`(?m)^ingest +extract +– +1,707 +– `,
			`(?m)^clean +transform +1,707 +1,654 +53 .*[0-9]m?s +[0-9.]+m?s$`,
			`(?m)^clean +validate +1,707 +1,654 +53 `,
			`(?m)^clean +load +1,654 +1,654 `,
			`(?m)^Is anything wrong\\?  Last success: [0-9.m]+s ago\\.  Lost: none\\.  Failed: none of [0-9,]+ runs\\.  Lag: none\\.$`,
			`(?m)^Rejected and forwarded to quakes.rejected: 25 above ground, 28 not an earthquake\\.$`,
			`(?m)^Checked: the metrics say what Kafka and MongoDB hold, and all [0-9,]+ spans are one flow\\.$`,
		} {
			if !regexp.MustCompile(strings.ReplaceAll(want, `\\`, `\`)).MatchString(printed) {
				t.Errorf("nothing printed matches %s", want)
			}
		}
	})
	t.Run("writes the page", func(t *testing.T) {
		testPage(t, filepath.Join(out, pageFile))
	})
	t.Run("replaces what an earlier run left", func(t *testing.T) {
		testReplaced(t, out)
	})
	t.Run("records one connected flow", func(t *testing.T) {
		testFlow(t, flowOf(readSpans(t, filepath.Join(out, spansFile))))
	})
	t.Run("counts what there is", func(t *testing.T) {
		testCounts(t, readMetrics(t, filepath.Join(out, metricsFile)))
	})
	t.Run("says of each rejected event why", func(t *testing.T) {
		if diff := cmp.Diff(expectedRejections(t), loggedRejections(t, out)); diff != "" {
			t.Errorf("rejected (-want +got):\n%s", diff)
		}
	})
	t.Run("writes the reports", func(t *testing.T) {
		if n := strongInReports(t, filepath.Join(out, "reports")); n != 85 {
			t.Errorf("the reports are of %d quakes, want 85", n)
		}
	})
}

var (
	heading = regexp.MustCompile(`(?s)<h1>(.*?)</h1>`)
	tag     = regexp.MustCompile(`<[^>]*>`)
)

// testPage checks that the page says of the flow that it is whole.
func testPage(t *testing.T, file string) {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := heading.FindSubmatch(page)
	if found == nil {
		t.Fatalf("the page has no heading:\n%.1000s", page)
	}
	got := tag.ReplaceAllString(string(found[1]), "")
	if !regexp.MustCompile(`^LINKED .*one flow of [0-9,]+ spans, 5 services, .*; nothing is wrong$`).MatchString(got) {
		t.Errorf("the page says %q", got)
	}
}

// testFlow checks that all that happened came of the scheduled run, and that nothing
// is wrong with it.
func testFlow(t *testing.T, r recorded) {
	t.Helper()
	if verdict := r.diagnosis.Verdict(); verdict != flow.Linked {
		t.Errorf("the verdict is %s, want %s", verdict, flow.Linked)
	}
	if found := r.findings(); len(found) > 0 {
		t.Errorf("findings above info:\n%s", describe(found))
	}
	graph := r.graph
	spans := graph.Spans()
	named := func(label string) []int {
		return graph.Select(graph.All(), func(i int) bool { return spans[i].Is(label) })
	}
	downstream := map[int]bool{}
	for _, i := range graph.Downstream(named("ingest quakes")) {
		downstream[i] = true
	}
	for label, want := range map[string]int{
		"ingest create quakes.raw":   events,
		"clean process quakes.raw":   events,
		"clean transform":            events,
		"clean validate":             events,
		"clean load":                 quakes,
		"clean send quakes.rejected": events - quakes,
		"dispatch create job":        3,
		"assess assess":              3,
		"report report":              3,
	} {
		found := named(label)
		if len(found) != want {
			t.Errorf("there are %d spans %q, want %d", len(found), label, want)
		}
		for _, i := range found {
			if !downstream[i] {
				t.Fatalf("the span %q does not come of the scheduled run", label)
			}
		}
	}
	if n := len(graph.All()) - len(downstream); n != 1 {
		t.Errorf("%d spans come of something else than the scheduled run", n-1)
	}
}

// testCounts compares the metrics with the rows there are.
func testCounts(t *testing.T, metrics tally) {
	t.Helper()
	for name, c := range map[string][2]int{
		"extracted":   {metrics.wrote("extract"), events},
		"published":   {metrics.wrote("publish"), events},
		"transformed": {metrics.read("transform"), events},
		"cleaned":     {metrics.wrote("transform"), quakes},
		"loaded":      {metrics.wrote("load"), quakes},
		"dispatched":  {metrics.wrote("dispatch"), 85},
		"summarised":  {metrics.read("summarise"), 85},
		"reported":    {metrics.wrote("write"), metrics.wrote("summarise")},
		"in Kafka":    {metrics.sum("etl_kafka_messages_total", map[string]string{"topic": topicRaw, "direction": "in"}), events},
	} {
		if c[0] != c[1] {
			t.Errorf("%d rows were %s, want %d", c[0], name, c[1])
		}
	}
	for _, check := range []struct {
		name                     string
		wantPassed, wantRejected int
	}{
		{name: "earthquake", wantPassed: events - 28, wantRejected: 28},
		{name: "underground", wantPassed: quakes, wantRejected: 25},
	} {
		results := metrics.by("etl_checks_total", "result", map[string]string{"stage": "validate", "check": check.name})
		if results["passed"] != check.wantPassed || results["rejected"] != check.wantRejected {
			t.Errorf("the check %s: %v, want %d passed and %d rejected", check.name, results, check.wantPassed, check.wantRejected)
		}
	}
	if n := metrics.sum("etl_queue_rows", nil); n != 0 {
		t.Errorf("%d rows are still in a queue", n)
	}
	want := map[string]int{"not an earthquake": 28, "above ground": 25}
	if diff := cmp.Diff(want, metrics.rejected("transform")); diff != "" {
		t.Errorf("rejected (-want +got):\n%s", diff)
	}
}

// leaveEarlierRun leaves in dir what an earlier run does, and a file of its user.
func leaveEarlierRun(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{spansFile, "logs/clean-9.log", "reports/assess-19700101-000000-1.md", "logs/notes.txt"} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("| of an earlier run | 100 |"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func testReplaced(t *testing.T, dir string) {
	t.Helper()
	for pattern, want := range map[string]int{
		"logs/*.log":     4 + 2*3, // Of ingest, two of clean, dispatch, and of a pod and a run for each batch.
		"reports/*.md":   3,
		"logs/notes.txt": 1,
	} {
		files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		if err != nil || len(files) != want {
			t.Errorf("there are %d files %s, want %d: %v", len(files), pattern, want, files)
		}
	}
}

// requireEmpty fails the test if anything was left in dir.
func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("%s was left in the directory of temporary files", entry.Name())
	}
}

func TestDemoOnServersOfItsUser(t *testing.T) {
	t.Parallel()
	file := program.Build(t)
	kafka := started(t)(local.StartKafka())
	mongo := started(t)(local.StartMongo())
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	kubernetes := started(t)(local.StartKubernetes(func(_ string, args, env []string) (func() error, error) {
		cmd := exec.Command(file, args...)
		cmd.Env = env
		return cmd.Wait, cmd.Start()
	}))
	if err := local.WriteKubeconfig(kubeconfig, kubernetes); err != nil {
		t.Fatal(err)
	}
	runs := make(chan string, 6)
	databricks := started(t)(local.StartDatabricks(func(_ string, args, _ []string) (func() error, error) {
		runs <- strings.Join(args, " ")
		return func() error { return nil }, nil
	}))
	traces, otlp, stop, err := local.StartTraces(filepath.Join(t.TempDir(), spansFile), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)

	// The second run must not take what the first has left for its own.
	for range 2 {
		cmd := exec.Command(file, "--kafka", kafka, "--mongo", mongo, "--kubeconfig", kubeconfig,
			"--databricks", databricks, "--otlp", otlp, "--metrics", "127.0.0.1:0", "--workers", "1", "--out", t.TempDir())
		cmd.Env = append(os.Environ(), envDatabricksToken+"=secret")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		printed, url := readUntil(bufio.NewReader(stdout), regexp.MustCompile(`http://[0-9.:]+/metrics`))
		t.Log("\n" + printed)
		if metrics := get(t, url); !strings.Contains(metrics, `etl_rows_processed_total{job="clean",pipeline="quakes",process="clean-1",source="",stage="load"} 1654`) {
			t.Errorf("the metrics served are:\n%s", metrics)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ended with %v", err)
		}
	}
	if n := len(flowOf(traces.Received()).diagnosis.Flows); n != 2 {
		t.Errorf("the trace backend was sent %d flows, want 2", n)
	}
	close(runs)
	n := 0
	for run := range runs {
		if n++; !regexp.MustCompile(`--batch=\S+ --traceparent=00-[0-9a-f]{32}-[0-9a-f]{16}-01 --waybill=`).MatchString(run) {
			t.Errorf("Databricks was given a run with %s", run)
		}
	}
	if n != 6 {
		t.Errorf("Databricks was given %d runs, want 6", n)
	}
}

func started(t *testing.T) func(addr string, stop func(), err error) string {
	t.Helper()
	return func(addr string, stop func(), err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		return addr
	}
}

// readUntil reads lines until one matches, and returns them and the match.
func readUntil(lines *bufio.Reader, pattern *regexp.Regexp) (read, match string) {
	for {
		line, err := lines.ReadString('\n')
		read += line
		if match := pattern.FindString(line); match != "" || err != nil {
			return read, match
		}
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCtrlCEndsEveryProcess(t *testing.T) {
	t.Parallel()
	file := program.Build(t)
	cmd, printed := startDemo(t, file)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(printed)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("the exit status is %d, want 130", code)
	}
	want := regexp.MustCompile(`Stopped\. [0-9]+ processes ended\. Until then 1,707 of 1,707 events were published,\n[0-9,]+ were loaded and [0-9,]+ rejected\.`)
	if !want.Match(rest) {
		t.Errorf("it says:\n%s", rest)
	}
	if left := running(t, file); len(left) > 0 {
		t.Errorf("still running: %v", left)
	}
}

func TestProcessesEndWhenTheirSupervisorIsKilled(t *testing.T) {
	t.Parallel()
	file := program.Build(t)
	cmd, _ := startDemo(t, file)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	waitUntil(t, func() bool { return len(running(t, file)) == 0 })
}

// waitUntil returns when condition holds of a process that tells nobody when it does, and
// fails the test if that takes a minute.
func waitUntil(t *testing.T, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(time.Minute)
	for !condition() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("it is still not so after a minute")
		}
	}
}

func TestMissingServersAreNamed(t *testing.T) {
	t.Parallel()
	file := program.Build(t)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	for _, flag := range []struct{ name, value, want string }{
		{"--kafka", "127.0.0.1:1", "no Kafka broker answers at 127.0.0.1:1 (--kafka): "},
		{"--mongo", "mongodb://127.0.0.1:1", "no MongoDB server answers at mongodb://127.0.0.1:1 (--mongo): "},
		{"--kubeconfig", kubeconfig, "no Kubernetes API server answers as " + kubeconfig + " says (--kubeconfig): "},
		{"--databricks", "http://127.0.0.1:1", "no Databricks workspace with the job 1 answers at http://127.0.0.1:1 (--databricks): "},
		{"--otlp", "http://127.0.0.1:1", "no trace backend takes OTLP at http://127.0.0.1:1 (--otlp): "},
		{"--metrics", "256.0.0.1:1", "the metrics cannot be served at 256.0.0.1:1 (--metrics): "},
	} {
		t.Run(flag.name, func(t *testing.T) {
			t.Parallel()
			temporary := t.TempDir()
			cmd := exec.Command(file, inGo, flag.name, flag.value)
			cmd.Env = append(os.Environ(), envDatabricksToken+"=secret", "TMPDIR="+temporary)
			printed, _ := cmd.CombinedOutput()
			if !strings.HasPrefix(string(printed), "quakes: "+flag.want) || cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("it ends with %d and says:\n%s", cmd.ProcessState.ExitCode(), printed)
			}
			requireEmpty(t, temporary)
		})
	}
}

// startDemo starts the demo and returns when the services are at work.
func startDemo(t *testing.T, file string, args ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(file, append([]string{inGo, "--out", t.TempDir()}, args...)...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	printed := bufio.NewReader(stdout)
	if read, found := readUntil(printed, regexp.MustCompile("1,707 of 1,707 events published")); found == "" {
		t.Fatalf("it ended before it was stopped:\n%s", read)
	}
	return cmd, printed
}

func readSpans(t *testing.T, file string) []ptrace.Traces {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var received []ptrace.Traces
	for line := range bytes.Lines(text) {
		traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(line)
		if err != nil {
			t.Fatal(err)
		}
		received = append(received, traces)
	}
	return received
}

func readMetrics(t *testing.T, file string) tally {
	t.Helper()
	text, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		t.Fatal(err)
	}
	metrics := map[string][]*dto.Metric{}
	for name, family := range families {
		metrics[name] = family.GetMetric()
	}
	return metrics
}

// expectedRejections reads from the data itself which events must be rejected.
func expectedRejections(t *testing.T) map[string]string {
	t.Helper()
	zipped, err := gzip.NewReader(bytes.NewReader(earthquakes))
	if err != nil {
		t.Fatal(err)
	}
	rejections := map[string]string{}
	for decoder := json.NewDecoder(zipped); ; {
		var e struct {
			ID         string                          `json:"id"`
			Properties map[string]any                  `json:"properties"`
			Geometry   struct{ Coordinates []float64 } `json:"geometry"`
		}
		if err := decoder.Decode(&e); err == io.EOF {
			return rejections
		} else if err != nil {
			t.Fatal(err)
		}
		if e.Properties["type"] != "earthquake" {
			rejections[e.ID] = "not an earthquake"
		} else if e.Geometry.Coordinates[2] < 0 {
			rejections[e.ID] = "above ground"
		}
	}
}

var rejectedLine = regexp.MustCompile(`msg=rejected event=(\S+) reason="(.*?)" trace_id=[0-9a-f]{32} `)

// loggedRejections reads what the workers logged.
func loggedRejections(t *testing.T, out string) map[string]string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(out, "logs", "clean-*.log"))
	if err != nil || len(logs) != 2 {
		t.Fatalf("the logs of the workers are %v, %v", logs, err)
	}
	rejections := map[string]string{}
	for _, file := range logs {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range rejectedLine.FindAllStringSubmatch(string(text), -1) {
			rejections[match[1]] = match[2]
		}
	}
	return rejections
}

// strongInReports adds up the quakes in the reports.
func strongInReports(t *testing.T, dir string) (quakes int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var n int
			if cells := strings.Split(line, "|"); len(cells) > 2 {
				_, _ = fmt.Sscan(cells[2], &n) // 0 for the head of the table.
			}
			quakes += n
		}
	}
	return quakes
}
