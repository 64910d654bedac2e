// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/waybill-go/waybill/cmd/waybill/internal/execute"
	"github.com/waybill-go/waybill/propagation"
)

// The context that jobs are started with.
const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	parentID    = "00f067aa0ba902b7"
	traceparent = "00-" + traceID + "-" + parentID + "-01"
)

// variables returns the variables that a command printed.
func variables(output string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(output) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if strings.EqualFold(name, "traceparent") || strings.EqualFold(name, "tracestate") || strings.EqualFold(name, "baggage") {
			found[name] = value
		}
	}
	return found
}

func waybillSent(ago time.Duration) string {
	at := time.Now().Add(-ago)
	return propagation.Waybill{Origin: at, Sent: at, Hops: 1}.String()
}

func TestRun_Context(t *testing.T) {
	t.Parallel()
	const other = "00-11111111111111111111111111111111-2222222222222222-01"
	annotations := filepath.Join(t.TempDir(), "annotations")
	content := "other=\"x\"\ntracing.k8s.io/traceparent=\"" + traceparent + "\"\ntracing.k8s.io/tracestate=\"a=\\x62\"\n"
	if err := os.WriteFile(annotations, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(t.TempDir(), "fifo") // That nobody writes.
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		cfg     execute.Config
		args    []string
		environ []string
		parent  string // Hexadecimal; empty for a new root.
		linked  bool
		extract string
		state   string // TRACESTATE of the command.
		baggage string // BAGGAGE of the command.
	}{
		{name: "none", extract: "absent"},
		{name: "environment", environ: []string{"TRACEPARENT=" + traceparent, "TRACESTATE=a=b", "BAGGAGE=k=v,l=w"}, parent: parentID, linked: true, extract: "ok", state: "a=b", baggage: "k=v,l=w"},
		{name: "lower case", environ: []string{"traceparent=" + traceparent, "tracestate=a=b", "baggage=k=v"}, parent: parentID, linked: true, extract: "ok", state: "a=b", baggage: "k=v"},
		{name: "baggage alone", environ: []string{"BAGGAGE=k=v"}, extract: "absent", baggage: "k=v"},
		{name: "baggage that is not in order", environ: []string{"TRACEPARENT=" + traceparent, "BAGGAGE= l = J%C3%BC ;p , k=v"}, parent: parentID, linked: true, extract: "ok", baggage: " l = J%C3%BC ;p , k=v"},
		{name: "baggage that is not baggage", environ: []string{"TRACEPARENT=" + traceparent, "BAGGAGE=23 kg, Jürgen"}, parent: parentID, linked: true, extract: "ok", baggage: "23 kg, Jürgen"},
		{name: "both cases", environ: []string{"TRACEPARENT=" + traceparent, "traceparent=" + other, "tracestate=a=b"}, parent: parentID, linked: true, extract: "ok"},
		{name: "malformed", environ: []string{"TRACEPARENT=00-xyz", "TRACESTATE=a=b"}, extract: "malformed"},
		{name: "fresh", environ: []string{"TRACEPARENT=" + traceparent, "WAYBILL=" + waybillSent(time.Minute)}, parent: parentID, linked: true, extract: "ok"},
		{name: "old", environ: []string{"TRACEPARENT=" + traceparent, "WAYBILL=" + waybillSent(time.Hour)}, linked: true, extract: "ok"},
		{name: "arguments", cfg: execute.Config{FromArgs: true}, args: []string{"--day=1", "--traceparent=" + traceparent}, parent: parentID, linked: true, extract: "ok"},
		{name: "arguments that are not read", args: []string{"--traceparent=" + traceparent}, extract: "absent"},
		{name: "environment before arguments", cfg: execute.Config{FromArgs: true}, args: []string{"--traceparent=" + other}, environ: []string{"TRACEPARENT=" + traceparent}, parent: parentID, linked: true, extract: "ok"},
		{name: "annotations", cfg: execute.Config{Annotations: annotations}, parent: parentID, linked: true, extract: "ok", state: "a=b"},
		{name: "annotations after a malformed variable", cfg: execute.Config{Annotations: annotations}, environ: []string{"TRACEPARENT=x"}, parent: parentID, linked: true, extract: "ok", state: "a=b"},
		{name: "a list of exporters", environ: []string{"OTEL_TRACES_EXPORTER=console, otlp"}, extract: "absent"},
		{name: "annotations that are a FIFO", cfg: execute.Config{Annotations: fifo}, extract: "absent"},
		{name: "annotations that are a directory", cfg: execute.Config{Annotations: filepath.Dir(fifo)}, extract: "absent"},
		{name: "no annotations", cfg: execute.Config{Annotations: annotations + "-absent"}, extract: "absent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			endpoint, received := newHTTPCollector(t)
			cfg := tt.cfg
			cfg.Command = append(sh("env"), tt.args...)
			cfg.AnnotationPrefix, cfg.MaxAge, cfg.FlushTimeout = "tracing.k8s.io", 20*time.Minute, time.Minute
			cmd := job(t, cfg, append(tt.environ, "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint)...)
			got := observed(t, cmd, "")
			if got.code != 0 || got.stderr != "" {
				t.Fatalf("code %d, standard error %q", got.code, got.stderr)
			}
			span, _ := received.only(t)
			if parent := hex.EncodeToString(span.ParentSpanId); parent != tt.parent {
				t.Errorf("parent %q, want %q", parent, tt.parent)
			}
			if linked := len(span.Links) == 1 && hex.EncodeToString(span.Links[0].TraceId) == traceID; linked != tt.linked {
				t.Errorf("links %v, want one: %t", span.Links, tt.linked)
			}
			if extract := attributesOf(span.Attributes)["waybill.extract"]; extract != tt.extract {
				t.Errorf("waybill.extract %v, want %q", extract, tt.extract)
			}
			want := map[string]string{"TRACEPARENT": fmt.Sprintf("00-%x-%x-01", span.TraceId, span.SpanId)}
			if tt.state != "" {
				want["TRACESTATE"] = tt.state
			}
			if tt.baggage != "" {
				want["BAGGAGE"] = tt.baggage
			}
			if diff := cmp.Diff(want, variables(got.stdout)); diff != "" {
				t.Errorf("variables of the command (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRun_WithoutEndpoint is a job whose span nobody would see.
func TestRun_WithoutEndpoint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		cfg     execute.Config
		environ []string
		want    map[string]string
	}{
		{name: "no context", want: map[string]string{}},
		{name: "environment", environ: []string{"traceparent=" + traceparent, "BAGGAGE=k=v"}, want: map[string]string{"traceparent": traceparent, "BAGGAGE": "k=v"}},
		{name: "arguments", cfg: execute.Config{FromArgs: true, Command: append(sh("env"), "--traceparent="+traceparent)}, want: map[string]string{"TRACEPARENT": traceparent}},
		{name: "arguments beside baggage", cfg: execute.Config{FromArgs: true, Command: append(sh("env"), "--traceparent="+traceparent)}, environ: []string{"BAGGAGE=k=v"}, want: map[string]string{"TRACEPARENT": traceparent, "BAGGAGE": "k=v"}},
		{name: "disabled", environ: []string{"OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "TRACEPARENT=" + traceparent}, want: map[string]string{"TRACEPARENT": traceparent}},
		{name: "another exporter", environ: []string{"OTEL_TRACES_EXPORTER=none", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"}, want: map[string]string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := tt.cfg
			cfg.FlushTimeout = time.Minute
			if cfg.Command == nil {
				cfg.Command = []string{"env"}
			}
			got := observed(t, job(t, cfg, tt.environ...), "")
			if got.code != 0 || got.stderr != "" {
				t.Errorf("code %d, standard error %q; want nothing said", got.code, got.stderr)
			}
			if diff := cmp.Diff(tt.want, variables(got.stdout)); diff != "" {
				t.Errorf("variables of the command (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRun_Span(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		cfg    execute.Config
		code   int
		status tracepb.Status_StatusCode
		want   map[string]any // Of the attributes; nil for one that must be absent.
	}{
		{
			name: "success", cfg: execute.Config{Command: sh("exit 0"), Args: true},
			want: map[string]any{
				"etl.outcome": "success", "process.exit.code": int64(0), "process.executable.name": "sh", "error.type": nil,
				"process.command_args": []string{"/bin/sh", "-c", "exit 0"}, "waybill.exec.stderr_last_line": nil,
			},
		},
		{
			name: "failure", cfg: execute.Config{Command: sh("echo one >&2; echo 'two ' >&2; echo >&2; exit 3"), StderrLine: true}, code: 3, status: tracepb.Status_STATUS_CODE_ERROR,
			want: map[string]any{"etl.outcome": "failure", "process.exit.code": int64(3), "error.type": "exit_3", "process.command_args": nil, "waybill.exec.stderr_last_line": "two"},
		},
		{
			name: "signal", cfg: execute.Config{Command: sh("kill -9 $$")}, code: 137, status: tracepb.Status_STATUS_CODE_ERROR,
			want: map[string]any{"etl.outcome": "failure", "process.exit.code": int64(137), "error.type": "SIGKILL", "waybill.job.signal": "SIGKILL"},
		},
		{
			name: "not found", cfg: execute.Config{Command: []string{"no-such-command"}}, code: 127, status: tracepb.Status_STATUS_CODE_ERROR,
			want: map[string]any{"etl.outcome": "failure", "process.exit.code": int64(127), "error.type": "not_found", "process.pid": nil},
		},
		{
			name: "rows", cfg: execute.Config{Command: sh(`echo '::rows read=10 wrote=7'; echo '::rows rejected=3 reason="no amount"'; printf '::rows read=5' >> "$WAYBILL_REPORT"; echo ::rows x`)},
			want: map[string]any{"etl.rows.read": int64(15), "etl.rows.written": int64(7), "etl.rows.rejected": int64(3), "waybill.exec.rejected.no amount": int64(3), "waybill.exec.malformed_reports": int64(1)},
		},
		{
			name: "rows that are not read", cfg: execute.Config{Command: sh("echo '::rows read=10'"), Rows: execute.RowsNever},
			want: map[string]any{"etl.rows.read": nil},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			endpoint, received := newHTTPCollector(t)
			cfg := tt.cfg
			cfg.Name, cfg.FlushTimeout = "nightly", time.Minute
			began := time.Now()
			cmd := job(t, cfg, "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint, "OTEL_RESOURCE_ATTRIBUTES=team=etl",
				"KUBERNETES_SERVICE_HOST=10.0.0.1", "WAYBILL_JOB_NAME=nightly-7", "WAYBILL_JOB_FAILURES=2", "JOB_COMPLETION_INDEX=4", "POD_NAME=nightly-7-x", "POD_NAMESPACE=prod")
			if got := observed(t, cmd, ""); got.code != tt.code {
				t.Errorf("code %d, want %d; %s", got.code, tt.code, got.stderr)
			}
			span, described := received.only(t)
			if span.Name != "nightly" || span.Status.GetCode() != tt.status {
				t.Errorf("span %q with status %v, want nightly with %v", span.Name, span.Status, tt.status)
			}
			if start, end := time.Unix(0, int64(span.StartTimeUnixNano)), time.Unix(0, int64(span.EndTimeUnixNano)); start.Before(began) || end.Before(start) || end.After(time.Now()) {
				t.Errorf("span from %v to %v, want after %v", start, end, began)
			}
			attributes := attributesOf(span.Attributes)
			if attributes["etl.attempt"] != int64(3) {
				t.Errorf("etl.attempt is %v, want 3", attributes["etl.attempt"])
			}
			for key, want := range tt.want {
				if diff := cmp.Diff(want, attributes[key]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", key, diff)
				}
			}
			if pid, ok := attributes["process.pid"]; ok {
				if rss, _ := attributes["waybill.exec.max_rss_bytes"].(int64); rss < 100<<10 || pid == int64(0) {
					t.Errorf("process %v with %d bytes of memory", pid, rss)
				}
			}
			for key, want := range map[string]string{"service.name": "nightly", "team": "etl", "k8s.job.name": "nightly-7", "k8s.pod.name": "nightly-7-x", "k8s.namespace.name": "prod", "k8s.pod.label.batch.kubernetes.io/job-completion-index": "4"} {
				if described[key] != want {
					t.Errorf("resource: %s is %v, want %q", key, described[key], want)
				}
			}
			if left, err := os.ReadDir(tempOf(cmd.Env)); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// tempOf returns the folder for temporary files in environ.
func tempOf(environ []string) string {
	for _, entry := range environ {
		if dir, ok := strings.CutPrefix(entry, "TMPDIR="); ok {
			return dir
		}
	}
	return ""
}

func TestRun_Report(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		path    string // In a folder that has a FIFO, and a file with a report; empty for none.
		command []string
		read    any
	}{
		{name: "FIFO", path: "fifo", command: sh(`echo '::rows read=1' > $WAYBILL_REPORT; echo '::rows read=2' > $WAYBILL_REPORT`), read: int64(3)},
		{name: "FIFO that is not used", path: "fifo", command: sh("exit 0")},
		{name: "file with more before", path: "file", command: sh(`echo '::rows read=2' >> $WAYBILL_REPORT`), read: int64(2)},
		{name: "new file", path: "new", command: sh(`echo '::rows read=4' > $WAYBILL_REPORT`), read: int64(4)},
		{name: "file that was removed", command: sh(`rm $WAYBILL_REPORT`)},
		{name: "FIFO in its place", command: sh(`rm $WAYBILL_REPORT; mkfifo $WAYBILL_REPORT`)},
		{name: "folder", path: ".", command: sh("exit 0")},
		{name: "many rows", command: sh(`i=0; while [ $i -lt 2000 ]; do echo ::rows read=9223372036854775807; i=$((i+1)); done > $WAYBILL_REPORT`), read: int64(1<<63 - 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			endpoint, received := newHTTPCollector(t)
			environ := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint}
			if tt.path != "" {
				environ = append(environ, "WAYBILL_REPORT="+filepath.Join(reports(t), tt.path))
			}
			got := observed(t, job(t, execute.Config{Command: tt.command, FlushTimeout: time.Minute}, environ...), "")
			if got.code != 0 || got.stderr != "" {
				t.Errorf("code %d, standard error %q", got.code, got.stderr)
			}
			span, _ := received.only(t)
			if read := attributesOf(span.Attributes)["etl.rows.read"]; read != tt.read {
				t.Errorf("rows read: %v, want %v", read, tt.read)
			}
		})
	}
}

// reports returns a folder with a FIFO, and a file that has a report.
func reports(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("::rows read=1000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRun_Examples runs the scripts of examples/exec, alone and as jobs.
func TestRun_Examples(t *testing.T) {
	t.Parallel()
	dir, err := filepath.Abs("../../../../examples/exec")
	if err != nil {
		t.Fatal(err)
	}
	orders, err := os.ReadFile(filepath.Join(dir, "orders.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		command []string
		want    string // The output.
		counts  map[string]any
	}{
		{command: []string{"./load.sh"}, want: "load o-17: 12.50\nload o-19: 30.00\n", counts: map[string]any{"etl.rows.read": int64(3), "etl.rows.written": int64(2), "etl.rows.rejected": int64(1)}},
		{command: []string{"python3", "report.py"}, want: "2 orders, 42.50 in all\n", counts: map[string]any{"etl.rows.read": int64(3), "etl.rows.written": int64(1), "etl.rows.rejected": int64(1)}},
	} {
		t.Run(tt.command[len(tt.command)-1], func(t *testing.T) {
			t.Parallel()
			endpoint, received := newHTTPCollector(t)
			for kind, cmd := range map[string]*exec.Cmd{
				"alone":    exec.CommandContext(t.Context(), tt.command[0], tt.command[1:]...),
				"as a job": job(t, execute.Config{Command: tt.command, FlushTimeout: time.Minute}, "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint),
			} {
				cmd.Dir = dir
				if got := observed(t, cmd, string(orders)); got != (outcome{stdout: tt.want}) {
					t.Errorf("%s: %+v, want output %q", kind, got, tt.want)
				}
			}
			span, _ := received.only(t)
			attributes := attributesOf(span.Attributes)
			for key, want := range tt.counts {
				if attributes[key] != want {
					t.Errorf("%s is %v, want %v", key, attributes[key], want)
				}
			}
		})
	}
}
