// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"bytes"
	"regexp"
)

const useOTLP = "; let the program or a collector write OTLP as JSON lines, or export to waybill view"

// hints are inputs that people take for recordings, and what to use instead.
var hints = []struct {
	with *regexp.Regexp
	hint string
}{
	{regexp.MustCompile(`"SpanContext":\s*\{\s*"TraceID"`), "this is what the stdouttrace exporter of Go prints" + useOTLP},
	{regexp.MustCompile(`"context":\s*\{\s*"trace_id":\s*"0x`), "this is what the ConsoleSpanExporter of Python prints" + useOTLP},
	{regexp.MustCompile(`(?m)^\s*(instrumentationScope: \{|traceId: '[0-9a-f]{32}')`), "this is what the ConsoleSpanExporter of Node prints" + useOTLP},
	{regexp.MustCompile(`LoggingSpanExporter`), "this is what the logging exporter of Java prints" + useOTLP},
	{regexp.MustCompile(`(?m)^\s*(ResourceSpans #\d|Trace ID\s+: )`), "this is what the debug exporter of a collector prints; let its file exporter write the spans"},
	{regexp.MustCompile(`"localEndpoint"\s*:`), "this is JSON of Zipkin; let a collector with its Zipkin receiver write OTLP as JSON lines"},
	{regexp.MustCompile(`"waybill_catalog"\s*:`), "this is a catalog; give it to waybill catalog with --diff"},
	{regexp.MustCompile(`^\s*\{\s*"resource(Metrics|Logs|Profiles)"`), "there are only metrics, logs or profiles"},
	{regexp.MustCompile(`(?i)^\s*<(!doctype|html|\?xml)`), "this is a page or XML; give the recording that it was made from"},
}

// heads are the beginnings of files that are no recordings.
var heads = []struct{ begins, hint string }{
	{"\xff\xfe", "this is UTF-16, as PowerShell writes it; convert it to UTF-8"},
	{"\xfe\xff", "this is UTF-16; convert it to UTF-8"},
	{"PK\x03\x04", "this is a zip archive; unpack it first"},
	{"BZh", "this is compressed with bzip2; use gzip or zstd, or decompress it first"},
	{"\xfd7zXZ", "this is compressed with xz; use gzip or zstd, or decompress it first"},
	{"PAR1", "this is a Parquet file; let a collector write OTLP as JSON lines"},
	{"SQLite format 3", "this is a database; export its spans as OTLP, or as the JSON of Jaeger"},
	{"%PDF", "this is a PDF; give the recording that it was made from"},
}

// tarMagic is where a tar archive says that it is one.
const tarMagic = 257

// hintOf returns what an input that begins with head is, or "".
func hintOf(head []byte) string {
	if bytes.Contains(head, []byte(`"resourceSpans"`)) {
		return ""
	}
	for _, h := range heads {
		if bytes.HasPrefix(head, []byte(h.begins)) {
			return h.hint
		}
	}
	if len(head) > tarMagic && bytes.HasPrefix(head[tarMagic:], []byte("ustar")) {
		return "this is a tar archive; unpack it first"
	}
	for _, h := range hints {
		if h.with.Match(head) {
			return h.hint
		}
	}
	return ""
}
