// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"flag"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowtest"
)

// failing is a test that may fail, and keeps its artifacts.
type failing struct {
	testing.TB

	dir  string
	text strings.Builder
}

func (*failing) Helper()               {}
func (f *failing) ArtifactDir() string { return f.dir }

func (f *failing) Fatalf(format string, args ...any) {
	fmt.Fprintf(&f.text, format, args...)
	runtime.Goexit()
}

// What a test with flowtest leaves when it fails is read by every command, which finds
// the same in it.
func TestRun_ArtifactOfAFlowtest(t *testing.T) {
	t.Setenv("WAYBILL_TEST_ALONE", "1") // No other test runs while the flag is set.
	kept := flag.Lookup("test.artifacts")
	before := kept.Value.String()
	if err := kept.Value.Set("true"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kept.Value.Set(before) }()

	test := &failing{TB: t, dir: t.TempDir()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f := flowtest.New(test)
		kafka := oteltrace.WithAttributes(attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", "orders"), attribute.StringSlice("regions", []string{"eu", "\xff"}))
		_, send := f.Service("api").Tracer("test").Start(f.Context(), "send orders", oteltrace.WithSpanKind(oteltrace.SpanKindProducer), kafka)
		send.End()
		_, process := f.Service("job").Tracer("test").Start(f.Context(), "process orders", oteltrace.WithSpanKind(oteltrace.SpanKindConsumer), kafka)
		process.End()
		f.Wait(time.Minute).RequireConnected()
	}()
	<-done

	file := filepath.Join(test.dir, "flow.jsonl")
	summary, _, _ := strings.Cut(strings.TrimPrefix(test.text.String(), "flowtest: RequireConnected: "), "\n")
	_, rest, _ := strings.Cut(test.text.String(), "P01 violation")
	finding, _, _ := strings.Cut("P01 violation"+rest, "\n")
	for command, want := range map[string][]string{
		"doctor": {summary, finding},
		"tree":   {summary, "send orders", "✗ P01 a consumer starts a new trace"},
		"report": {strings.TrimPrefix(summary, "BROKEN"), "P01 violation"},
	} {
		args := []string{command, file}
		if command == "report" {
			args = append(args, "-o", "-")
		}
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr); code > 1 || stderr.Len() > 0 {
			t.Errorf("%s: exit code %d, standard error %q", command, code, stderr.String())
		}
		for _, part := range want {
			if part == "" || !strings.Contains(stdout.String(), part) {
				t.Errorf("%s: output\n%.3000s\nwant it to contain %q", command, stdout.String(), part)
			}
		}
	}
}
