// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/internal/flow"
)

// The recordings of a broken and of a whole flow, as OTLP JSON.
const (
	broken = `{"resourceSpans":[
{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"api"}}]},"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","name":"send orders","kind":4,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000001000000","attributes":[{"key":"messaging.system","value":{"stringValue":"kafka"}},{"key":"messaging.destination.name","value":{"stringValue":"orders"}}]}]}]},
{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"job"}}]},"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000002","spanId":"0000000000000002","name":"process \u001b[31morders","kind":5,"startTimeUnixNano":"1700000000002000000","endTimeUnixNano":"1700000000003000000","attributes":[{"key":"messaging.system","value":{"stringValue":"kafka"}},{"key":"messaging.destination.name","value":{"stringValue":"orders"}}]}]}]}]}`
	whole = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"api"}}]},"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","name":"GET /orders","kind":2,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000001000000"}]}]}]}`
)

func TestRun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		args   []string
		stdin  string
		code   int
		stdout []string // Each is part of the output.
		stderr string
	}{
		{name: "whole", args: []string{"doctor"}, stdin: whole, stdout: []string{"CONNECTED: one flow of 1 span", "Nothing is wrong."}},
		{name: "broken", args: []string{"doctor", "-"}, stdin: broken, code: 1, stdout: []string{"P01 violation", `"job process  [31morders"`, "Fix:"}},
		{name: "allowed", args: []string{"doctor", "--allow", "P01,P21"}, stdin: broken, stdout: []string{"BROKEN", "Nothing is wrong beyond what is allowed."}},
		{name: "of a lesser level", args: []string{"doctor", "--fail-on", "info", "--allow", "P01"}, stdin: whole},
		{name: "github", args: []string{"doctor", "--format", "github"}, stdin: broken, code: 1, stdout: []string{"::error title=P01 a consumer starts a new trace::"}},
		{name: "tree", args: []string{"tree"}, stdin: broken, stdout: []string{"send orders", "✗ P01 a consumer starts a new trace"}},
		{name: "no such finding", args: []string{"doctor", "--allow", "P99"}, code: 2, stderr: `unknown finding "P99"`},
		{name: "no such format", args: []string{"doctor", "--format", "yaml"}, code: 2, stderr: `unknown format "yaml"; the formats are github, json, junit, sarif, text`},
		{name: "no such level", args: []string{"doctor", "--fail-on", "bad"}, code: 2, stderr: `unknown level "bad"`},
		{name: "no such file", args: []string{"doctor", "absent.jsonl"}, code: 2, stderr: "absent.jsonl"},
		{name: "nothing readable", args: []string{"doctor"}, stdin: "{}", code: 2, stderr: "no spans could be read: standard input:1: this is no recording of spans that is known"},
		{name: "report", args: []string{"report", "-o", "-"}, stdin: broken, stdout: []string{"<title>waybill</title>", "P01 violation", "process \u001b[31morders"[:7]}},
		{name: "rules", args: []string{"rules", "--namespace", "flow", "--freshness", "invoices=24h", "--objective", "orders=1m:0.99"}, stdout: []string{"- alert: EtlNotFresh", "flow_last_success_timestamp_seconds", "pipeline: invoices", "objective: \"99% in 1m\""}},
		{name: "rules without a share", args: []string{"rules", "--loss", "orders=1m"}, code: 2, stderr: `--loss "orders=1m": want NAME=DURATION:SHARE`},
		{name: "rules for a bad namespace", args: []string{"rules", "--namespace", "fl ow"}, code: 2, stderr: `"fl ow"`},
		{name: "boards for a bad namespace", args: []string{"boards", "--namespace", "fl ow", os.DevNull}, code: 2, stderr: `invalid namespace "fl ow"`},
		{name: "no such command", args: []string{"cure"}, code: 2, stderr: `unknown command "cure"`},
		{name: "help", args: []string{"help"}, stdout: []string{"doctor", "tree"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), tt.args, strings.NewReader(tt.stdin), &stdout, &stderr); code != tt.code {
				t.Errorf("exit code %d, want %d; stderr: %s", code, tt.code, &stderr)
			}
			for _, want := range tt.stdout {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("output\n%swant it to contain %q", &stdout, want)
				}
			}
			if !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("standard error %q, want it to contain %q", &stderr, tt.stderr)
			}
			if strings.ContainsRune(stdout.String(), '\x1b') && tt.name != "report" {
				t.Error("the output has an escape sequence of the recording")
			}
		})
	}
}

func TestDoctor_MachineFormats(t *testing.T) {
	t.Parallel()
	output := func(format string) []byte {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"doctor", "--format", format}, strings.NewReader(broken), &stdout, &stderr); code != exitFindings {
			t.Fatalf("%s: exit code %d: %s", format, code, &stderr)
		}
		return stdout.Bytes()
	}
	var document struct {
		Findings []struct{ ID, Level, Fix, Page string }
	}
	if err := json.Unmarshal(output("json"), &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Findings) != 1 || document.Findings[0].ID != "P01" || document.Findings[0].Level != "violation" || document.Findings[0].Fix == "" || document.Findings[0].Page != flow.Page("P01") {
		t.Errorf("JSON: %+v", document)
	}
	for _, format := range slices.Sorted(maps.Keys(formats)) {
		if !bytes.Contains(output(format), []byte(flow.Page("P01"))) {
			t.Errorf("%s does not name %s", format, flow.Page("P01"))
		}
	}
	var suite struct {
		Failures int `xml:"failures,attr"`
	}
	if err := xml.Unmarshal(output("junit"), &suite); err != nil || suite.Failures != 1 {
		t.Errorf("JUnit: %+v, %v", suite, err)
	}
	var sarif struct {
		Version string
		Runs    []struct {
			Results []struct {
				RuleID    string
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(output("sarif"), &sarif); err != nil || sarif.Version != "2.1.0" || len(sarif.Runs) != 1 || sarif.Runs[0].Results[0].RuleID != "P01" {
		t.Fatalf("SARIF: %+v, %v", sarif, err)
	}
	// GitHub refuses the whole report otherwise.
	if at := sarif.Runs[0].Results[0].Locations[0].PhysicalLocation; at.ArtifactLocation.URI == "" || at.Region.StartLine != 1 {
		t.Errorf("SARIF: location %+v, want a file and a line", at)
	}
}

func TestReport_File(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "flow.html")
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"report", "--title", "<orders>", "-o", file}, strings.NewReader(broken), &stdout, &stderr); code != exitFine {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(page, []byte("<title>&lt;orders&gt;</title>")) {
		t.Error("the title is not escaped")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".waybill-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBoards_Files(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "boards")
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"boards", "--namespace", "flow", dir}, nil, &stdout, &stderr); code != exitFine {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	for _, name := range []string{"flow.json", "quality.json", "runtime.json", "stages.json"} {
		board, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !json.Valid(board) || !bytes.Contains(board, []byte("flow_")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
