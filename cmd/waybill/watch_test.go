// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lost is a line with a message whose context was lost, at a second of the stream.
func lost(n, second int) string {
	at := 1_700_000_000 + second
	span := func(service, trace string, kind, id int) string {
		return fmt.Sprintf(`{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":%q}}]},"scopeSpans":[{"spans":[`+
			`{"traceId":"%s%031x","spanId":"%016x","name":"%s orders","kind":%d,"startTimeUnixNano":"%d000000000","endTimeUnixNano":"%d000000001",`+
			`"attributes":[{"key":"messaging.system","value":{"stringValue":"kafka"}},{"key":"messaging.destination.name","value":{"stringValue":"orders"}}]}]}]}`,
			service, trace, n+1, id, service, kind, at, at)
	}
	return `{"resourceSpans":[` + span("api", "a", 4, 2*n+1) + "," + span("job", "b", 5, 2*n+2) + "]}\n"
}

func TestDoctor_Window(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for n := range 100 {
		text.WriteString(lost(n, 60*n))
	}
	for _, tt := range []struct {
		name   string
		args   []string
		stdin  string
		code   int
		stdout []string // Each is part of the output, in this order.
		stderr string
	}{
		{
			name: "text", stdin: text.String(), code: exitFindings,
			stdout: []string{
				"P01 violation  \"job job orders\"", "\n    Fix:  ",
				"(10 times so far)\n", "(100 times so far)\n",
				"BROKEN: 100 flows (100 BROKEN); 200 spans, 2 services, 200 traces\n", "P01 violation", "(100 times)\n    Why:",
			},
		},
		{name: "allowed", args: []string{"--allow", "P01,P21"}, stdin: text.String(), stdout: []string{"BROKEN: 100 flows", "Nothing is wrong."}},
		{name: "damaged", stdin: "{\n" + text.String(), code: exitFindings, stdout: []string{"P01 violation"}, stderr: "waybill: damaged: standard input:1:"},
		{name: "empty", code: exitUsage, stderr: "waybill: no spans in standard input: it is empty\n"},
		{name: "a negative window", args: []string{"--window", "-1s"}, code: exitUsage, stderr: "--window must not be negative"},
		{name: "nothing to follow", args: []string{"--follow"}, code: exitUsage, stderr: "--follow needs one file"},
		{name: "follows and judges at the end", args: []string{"--window", "0", "--follow", "x"}, code: exitUsage, stderr: "--follow needs --window"},
		{name: "listens", args: []string{"--listen", "127.0.0.1:0"}, code: exitUsage, stderr: "give either --window or --listen"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), append([]string{"doctor", "--window", "10m"}, tt.args...), strings.NewReader(tt.stdin), &stdout, &stderr)
			if code != tt.code || !strings.Contains(stderr.String(), tt.stderr) || tt.stderr == "" && stderr.Len() > 0 {
				t.Errorf("exit code %d, standard error %q; want %d and %q", code, &stderr, tt.code, tt.stderr)
			}
			rest := stdout.String()
			for _, want := range tt.stdout {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("output\n%swant %q after what comes before it", &stdout, want)
				}
				rest = after
			}
		})
	}
}

func TestDoctor_Window_JSON(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"doctor", "--window", "10m", "--format", "json"}, strings.NewReader(lost(0, 0)+lost(1, 3600)), &stdout, &stderr)
	var document struct {
		Findings []struct {
			ID    string
			Count int
			Spans []struct{ Service string }
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &document); err != nil || code != exitFindings {
		t.Fatalf("exit code %d, %v: %s", code, err, &stderr)
	}
	if len(document.Findings) != 1 || document.Findings[0].ID != "P01" || document.Findings[0].Count != 2 || document.Findings[0].Spans[0].Service != "job" {
		t.Errorf("findings %+v, want P01 twice", document.Findings)
	}
}

// written hands on what is written when it contains a text.
type written struct {
	all  bytes.Buffer
	text string
	then func()
}

// Write implements [io.Writer].
func (w *written) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.text) {
		w.then()
	}
	return w.all.Write(p)
}

// A file is followed until the user ends the program, who then gets the summary.
func TestDoctor_Window_Follow(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "spans.jsonl")
	if err := os.WriteFile(file, []byte(lost(0, 0)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	appended := false
	var stderr bytes.Buffer
	stdout := &written{text: "P01 violation", then: cancel}
	grow := func() {
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := io.WriteString(f, lost(1, 3600)); err != nil {
			t.Error(err)
		}
		appended = true
		_ = f.Close() // What was written is read below.
	}
	grow()
	code := run(ctx, []string{"doctor", "--window", "10m", "--follow", file}, nil, stdout, &stderr)
	if code != exitFindings || !appended || !strings.Contains(stdout.all.String(), "BROKEN: 1 flow (1 BROKEN); 2 spans, 2 services, 2 traces; 1 flow still active and not judged\n") {
		t.Errorf("exit code %d, output\n%s%s", code, &stdout.all, &stderr)
	}
}
