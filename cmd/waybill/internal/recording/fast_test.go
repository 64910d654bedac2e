// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/flow"
)

// unusual are documents that are all or in part what exporters do not write.
var unusual = []string{
	`{"resourceSpans":[]}`,
	` { "resourceSpans" : [ { "scopeSpans" : [ { "spans" : [ { "name" : "a" , "kind" : 5 } ] } ] } ] } `,
	`{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a\n\u00e9\ud83d\ude00\ud800"}]}]}]}`,
	`{"resourceSpans":[{"scopeSpans":[{"spans":[{"trace_id":"00000000000000000000000000000001","kind":"SPAN_KIND_CLIENT"}]}]}]}`,
	`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":{"arrayValue":{"values":[{"intValue":1}]}}}]}]}]}]}`,
	`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"value":{"intValue":1},"key":"k"}]}]}]}]}`,
	`{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":{}},{"key":"l"},{"key":"m","value":{"doubleValue":1.5e3}},{"key":"n","value":{"boolValue":true}}]}]}]}]}`,
	`{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":18446744073709551615,"endTimeUnixNano":"1"}]}]}]}`,
	`{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"x","attributes":[{"key":"}","value":{"stringValue":"]"}}]},"spans":[{"events":[{"name":"\"}"}],"links":[{"traceId":"00000000000000000000000000000001","spanId":"0000000000000001"}],"status":{"code":2,"message":"no"}}]}],"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"late"}},{"key":"process.pid","value":{"intValue":"7"}},{"key":"argv","value":{"arrayValue":{}}}]}}]}`,
	`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"load"}},{"key":"k8s.pod.name","value":{"stringValue":"load-29-x"}},{"key":"k8s.job.name","value":{"stringValue":"load-29"}},{"key":"k8s.job.name","value":{"stringValue":"second"}},{"key":"telemetry.sdk.language","value":{"stringValue":"python"}}]},"scopeSpans":[{"spans":[{"name":"load"}]}]}]}`,
	`{"resourceSpans":[{"scopeSpans":[{"spans":[{"flags":4294967295,"parentSpanId":"","spanId":"00"}]}]}]}`,
	`{"resourceSpans":[{"scopeSpans":[{"spans":[{"links":[{"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","flags":768}],"traceId":"00000000000000000000000000000001","parentSpanId":"0000000000000001","flags":769}]}]}]}`,
	`{"resourceSpans":[{"scopeSpans":[{"spans":[{"links":[{"flags":4294967296}]},{"links":[{"flags":256}]}]}]}]}`,
	`{"resourceSpans":[{"scopeSpans":[{"spans":[null]}]}]}`,
	`{"resourceSpans":null}`,
	`{"resourceSpans":[{}],"other":[1,{"a":"]"}]}`,
	`{"resourceSpans":[{}]`,
	`{"resourceSpans":[{}]}}`,
	`[{"resourceSpans":[{}]}]`,
	"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"\xff\"}]}]}]}",
}

// requireSame checks that the scanner reads what the parser reads, if it reads anything.
func requireSame(t *testing.T, text []byte) (scanned bool) {
	t.Helper()
	got, ok := scan(text, nil)
	if !ok {
		return false
	}
	want, err := parseOTLP(text)
	if err != nil {
		return true // What is passed over is not looked at.
	}
	if diff := cmp.Diff(asTexts(want), asTexts(got)); diff != "" {
		t.Fatalf("spans of %q (-parser +scanner)\n%s", text, diff)
	}
	return true
}

// asTexts returns all that is in spans.
func asTexts(spans []flow.Span) []string {
	var texts []string
	for i := range spans {
		s := spans[i]
		attributes := s.Attributes
		s.Attributes = nil
		texts = append(texts, fmt.Sprintf("%+v", s))
		for _, kv := range attributes {
			texts = append(texts, fmt.Sprintf("%q %s %q", kv.Key, kv.Value.Type(), kv.Value.String()))
		}
	}
	return texts
}

func TestScan_ReadsAsTheParser(t *testing.T) {
	t.Parallel()
	for _, text := range unusual {
		requireSame(t, []byte(text))
	}
	recordings, err := filepath.Glob("../../testdata/healthy/*.jsonl.gz")
	if err != nil || len(recordings) == 0 {
		t.Fatalf("recordings: %v, %v", recordings, err)
	}
	for _, name := range append(recordings, "../../testdata/quakes.jsonl.gz") {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		plain, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(plain)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(content) {
			if !requireSame(t, bytes.TrimSpace(line)) {
				t.Errorf("%s: the scanner gives up on %.200q", name, line)
			}
		}
	}
}

func TestScan_Keep(t *testing.T) {
	t.Parallel()
	text := `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"a","value":{"arrayValue":{"values":[{"stringValue":"]}"}]}}},{"key":"b","value":{"stringValue":"2"}}]}]}]}]}`
	spans, ok := scan([]byte(text), func(key string) bool { return key == "b" })
	if !ok || len(spans) != 1 || len(spans[0].Attributes) != 1 || spans[0].Attributes[0] != attribute.String("b", "2") {
		t.Errorf("spans %+v, %v; want one with the attribute b", spans, ok)
	}
}

// Equal texts share their memory.
func TestScan_SharesTexts(t *testing.T) {
	t.Parallel()
	text := []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Repeat(`{"name":"a long name of many spans"},`, 100) + `{"name":"x"}]}]}]}`)
	spans, ok := scan(text, nil)
	if !ok || len(spans) != 101 {
		t.Fatalf("%d spans, %v", len(spans), ok)
	}
	for i := range spans[1:100] {
		if unsafe.StringData(spans[i].Name) != unsafe.StringData(spans[0].Name) {
			t.Fatalf("the name of span %d is a copy", i)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, text := range unusual {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { requireSame(t, text) })
}
