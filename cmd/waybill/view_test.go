// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-go/waybill/cmd/waybill/internal/live"
)

// startView starts view, and returns the address of its page too.
func startView(t *testing.T, args ...string) (r *running, page string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r = &running{stdout: newOutput(), stderr: newOutput(), interrupt: cancel, code: make(chan int, 1)}
	args = append([]string{"view", "--no-open", "--listen", "127.0.0.1:0"}, args...)
	go func() { r.code <- run(ctx, args, strings.NewReader(""), r.stdout, r.stderr) }()
	page = r.stdout.after(t, "waybill view is at ")
	r.endpoint = r.stdout.after(t, "OTEL_EXPORTER_OTLP_ENDPOINT=")
	return r, page
}

// rows waits until the page lists so many flows, and returns them.
func rows(t *testing.T, page string, flows int) []live.Row {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page+"events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var text strings.Builder
	for {
		part := make([]byte, 1<<16)
		n, err := response.Body.Read(part)
		text.Write(part[:n])
		for line := range strings.SplitSeq(text.String(), "\n") {
			var event struct{ List live.List }
			data, ok := strings.CutPrefix(line, "data: ")
			if ok && json.Unmarshal([]byte(data), &event) == nil && event.List.Flows == flows {
				return event.List.Rows
			}
		}
		if err != nil {
			t.Fatalf("the page has not listed %d flows: %v\n%s", flows, err, &text)
		}
	}
}

func TestView_SDK(t *testing.T) {
	t.Parallel()
	r, page := startView(t)
	for name, exporter := range exporters(t, r.endpoint) {
		trace(t, name, exporter)
	}
	for _, row := range rows(t, page, 4) {
		if row.Spans != 2 || row.Name != "GET /orders" {
			t.Errorf("flow %+v, want GET /orders with 2 spans", row)
		}
	}
	if code := r.end(t); code != exitFine || r.stderr.String() != "" {
		t.Errorf("exit code %d, want 0; stderr: %s", code, r.stderr)
	}
}

func TestView_Files(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	loaded, followed := filepath.Join(dir, "loaded.jsonl"), filepath.Join(dir, "followed.jsonl")
	if err := os.WriteFile(loaded, []byte(broken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, page := startView(t, "--file", followed, loaded)
	rows(t, page, 2)
	if err := os.WriteFile(followed, []byte(strings.ReplaceAll(whole, "00000000000000000000000000000001", "00000000000000000000000000000009")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rows(t, page, 3)
	response, err := http.Get(page + "flow/2") //nolint:noctx // The server is in this process.
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(text), "between api and job") {
		t.Errorf("flow 2: %v, %s; want BROKEN between api and job", err, text)
	}
	if code := r.end(t); code != exitFine {
		t.Errorf("exit code %d; stderr: %s", code, r.stderr)
	}
}

func TestView_Misuse(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for _, tt := range []struct {
		name   string
		args   []string
		stderr string
	}{
		{name: "a port in use", args: []string{"--listen", taken.Addr().String()}, stderr: " is in use, perhaps by a collector or another waybill; stop that, or use --listen with another port\n"},
		{name: "the port of the page in use", args: []string{"--listen", "127.0.0.1:0", "--page", taken.Addr().String()}, stderr: "or use --page with another port\n"},
		{name: "an absent recording", args: []string{"--listen", "127.0.0.1:0", "absent.jsonl"}, stderr: "absent.jsonl"},
		{name: "a recording that is none", args: []string{"--listen", "127.0.0.1:0", "view_test.go"}, stderr: "view_test.go:1: "},
		{name: "a directory", args: []string{"--listen", "127.0.0.1:0", "testdata"}, stderr: "testdata is a directory"},
		{name: "nothing on standard input", args: []string{"--listen", "127.0.0.1:0", "-"}, stderr: "no spans in standard input"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr strings.Builder
			if code := run(t.Context(), append([]string{"view", "--no-open"}, tt.args...), strings.NewReader(""), &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("exit code %d and %q, want 2 and %q", code, &stderr, tt.stderr)
			}
		})
	}
}
