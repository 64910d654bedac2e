// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
	"github.com/waybill-go/waybill/internal/flow"
)

// Doctor takes linear time and memory.
func BenchmarkDoctor(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(bytesOf(b, n))
			for b.Loop() {
				var stdout, stderr bytes.Buffer
				if code := run(b.Context(), []string{"doctor"}, newSynthetic(b, n), &stdout, &stderr); code != exitFindings {
					b.Fatalf("exit code %d: %s", code, &stderr)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
		})
	}
}

// bytesOf returns how many bytes a recording of n spans has.
func bytesOf(t testing.TB, n int) int64 {
	t.Helper()
	size, err := io.Copy(io.Discard, newSynthetic(t, n))
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// More findings than are kept are counted.
func TestDoctor_ManyFindings(t *testing.T) {
	t.Parallel()
	name := func(i int) string { // Without digits, by which names would be folded.
		return strings.Map(func(r rune) rune { return r - '0' + 'a' }, strconv.Itoa(i))
	}
	var text strings.Builder
	for i := range 1_010 {
		fmt.Fprintf(&text, `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeSpans":[{"spans":[{"traceId":"%032x","spanId":"%016x","name":"%s","kind":2,"startTimeUnixNano":"1700000000000000000"}]}]}]}`+"\n", i+1, i+1, name(i))
	}
	for format, want := range map[string]string{"text": "There are 10 more findings.", "json": `"omitted": 10`} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"doctor", "--format", format}, strings.NewReader(text.String()), &stdout, &stderr); code != exitFindings {
			t.Fatalf("exit code %d, want %d: %s", code, exitFindings, &stderr)
		}
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%s does not contain %q", format, want)
		}
	}
}

// Attributes that package flow does not read are left out of a recording, and change
// nothing.
func TestDoctor_AttributesThatAreRead(t *testing.T) {
	t.Parallel()
	recordings, err := filepath.Glob("testdata/*/*.jsonl*")
	if err != nil || len(recordings) < 20 {
		t.Fatalf("recordings: %v, %v", recordings, err)
	}
	recordings = slices.DeleteFunc(recordings, func(file string) bool { return strings.Contains(file, ".journal.") })
	for _, file := range recordings {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			read := func(keep func(string) bool) *diagnosis {
				r, err := (&recording.Reader{Keep: keep}).Read(t.Context(), file)
				if err != nil {
					t.Fatal(err)
				}
				return diagnose(r.Spans, flow.Expectation{}, nil)
			}
			if diff := cmp.Diff(read(nil), read(flow.Reads)); diff != "" {
				t.Errorf("with all attributes, and with those that are read (-all +read)\n%s", diff)
			}
		})
	}
}

// A Kubernetes Job that lost its context is found in the file of a collector: the resource
// of its spans names the Job, as the span does that creates it.
func TestDoctor_Job(t *testing.T) {
	t.Parallel()
	const recorded = `{"resourceSpans":[
{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"planner"}}]},"scopeSpans":[{"spans":[
{"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","name":"create job","kind":4,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000001000000000",
"attributes":[{"key":"k8s.job.name","value":{"stringValue":"load-7"}}]}]}]},
{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"load"}},{"key":"k8s.job.name","value":{"stringValue":"load-7"}},{"key":"telemetry.sdk.language","value":{"stringValue":"python"}}]},"scopeSpans":[{"spans":[
{"traceId":"00000000000000000000000000000002","spanId":"0000000000000002","name":"load","kind":1,"startTimeUnixNano":"1700000005000000000","endTimeUnixNano":"1700000006000000000"}]}]}]}`
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"doctor"}, strings.NewReader(strings.ReplaceAll(recorded, "\n", "")), &stdout, &stderr)
	got := strings.Join(strings.Fields(stdout.String()), " ")
	for _, want := range []string{"BROKEN between planner and load", "no context was extracted from the environment of the Job load-7", "in Python, waybill_receiver.start_job(tracer, name)"} {
		if code != exitFindings || !strings.Contains(got, want) {
			t.Errorf("exit code %d and %q; want %d, with %q", code, got, exitFindings, want)
		}
	}
}
