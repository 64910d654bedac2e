// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// readers are the commands that read recordings, in all of their forms.
var readers = [][]string{
	{"doctor"},
	{"doctor", "--format", "json"},
	{"doctor", "--format", "junit"},
	{"doctor", "--format", "github"},
	{"doctor", "--format", "sarif"},
	{"doctor", "--window", "10m"},
	{"tree"},
	{"report", "-o", "-"},
	{"catalog"},
	{"catalog", "--format", "json"},
	{"catalog", "--format", "mermaid"},
	{"catalog", "--format", "dot"},
}

// badSpan is a span for a line of JSON.
type badSpan struct {
	TraceID      string    `json:"traceId"`
	SpanID       string    `json:"spanId"`
	ParentSpanID string    `json:"parentSpanId,omitempty"`
	Name         string    `json:"name"`
	Kind         int       `json:"kind"`
	Start        string    `json:"startTimeUnixNano"`
	End          string    `json:"endTimeUnixNano"`
	Attributes   []keyText `json:"attributes,omitempty"`
	Status       any       `json:"status,omitempty"`
}

type keyText struct {
	Key   string `json:"key"`
	Value struct {
		Text string `json:"stringValue"`
	} `json:"value"`
}

func text(key, value string) keyText {
	made := keyText{Key: key}
	made.Value.Text = value
	return made
}

// badLine returns a line with spans of a service.
func badLine(t testing.TB, service string, spans ...badSpan) string {
	t.Helper()
	line, err := json.Marshal(map[string]any{"resourceSpans": []any{map[string]any{
		"resource":   map[string]any{"attributes": []keyText{text("service.name", service)}},
		"scopeSpans": []any{map[string]any{"scope": map[string]any{"name": service}, "spans": spans}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + "\n"
}

// bad returns span n with a parent, of which 0 is none.
func bad(n, parent int, name string, kind int) badSpan {
	s := badSpan{
		TraceID: fmt.Sprintf("%032x", 1), SpanID: fmt.Sprintf("%016x", n), Name: name, Kind: kind,
		Start: strconv.Itoa(1_700_000_000_000_000_000 + n), End: strconv.Itoa(1_700_000_000_000_001_000 + n),
	}
	if parent > 0 {
		s.ParentSpanID = fmt.Sprintf("%016x", parent)
	}
	return s
}

// controls are what may not reach a terminal, and would leave its place in a line.
const controls = "\x1b[31mred\x1b]0;title\x07\x9b31m\u009b31m\r\b\x7f\u202e\u2028\nP01 violation  forged\n::error::forged\t<script>alert(1)</script>|`\"&"

// badRecordings are recordings that can be read, and have everything that must not harm.
func badRecordings(t testing.TB) map[string]string {
	t.Helper()
	hostile := bad(1, 0, controls, 4)
	hostile.Attributes = []keyText{text("messaging.system", controls), text("messaging.destination.name", controls), text("etl.stage", controls), text(controls, controls)}
	hostile.Status = map[string]any{"code": 2, "message": controls}
	received := bad(2, 0, controls, 5)
	received.TraceID = fmt.Sprintf("%032x", 2)
	received.Attributes = hostile.Attributes
	var circle []badSpan
	for n := range 1000 {
		circle = append(circle, bad(n+1, (n+1)%1000+1, "circle", 1))
	}
	long := strings.Repeat("long name ", 100_000)
	longSpan := bad(1, 0, long, 5)
	longSpan.Attributes = []keyText{text("messaging.system", long), text("messaging.destination.name", long)}
	var many strings.Builder
	for n := range 3000 {
		many.WriteString(badLine(t, "worker", bad(n+1, 0, "process "+letters(n), 5)))
	}
	return map[string]string{
		"controls":          badLine(t, controls, hostile) + badLine(t, controls+"2", received),
		"own parent":        badLine(t, "api", bad(1, 1, "self", 1)),
		"circle":            badLine(t, "api", circle...),
		"names of 1 MB":     badLine(t, long, longSpan) + badLine(t, long+"2", longSpan),
		"many findings":     many.String(),
		"one id many times": strings.Repeat(badLine(t, "api", bad(1, 0, "one", 1)), 100) + badLine(t, "api", bad(1, 0, "other", 1)),
		"no ids and times":  badLine(t, "", badSpan{Start: "0", End: "0"}, badSpan{Name: "x", Start: "0", End: "0"}),
		"times that overflow": badLine(t, "api", badSpan{
			TraceID: fmt.Sprintf("%032x", 1), SpanID: fmt.Sprintf("%016x", 1), Name: "x", Start: "18446744073709551615", End: "1",
		}),
	}
}

// letters returns a name for n without digits, which would fold.
func letters(n int) string {
	var name []byte
	for ; n > 0; n /= 26 {
		name = append(name, byte('a'+n%26))
	}
	return string(name)
}

// Nothing of a recording reaches a terminal as it is, or takes more room than it should.
func TestReaders_BadRecordings(t *testing.T) {
	t.Parallel()
	for name, recording := range badRecordings(t) {
		for _, args := range readers {
			t.Run(name+"/"+strings.Join(args, " "), func(t *testing.T) {
				t.Parallel()
				var stdout, stderr bytes.Buffer
				code := run(t.Context(), args, strings.NewReader(recording), &stdout, &stderr)
				if code != exitFine && code != exitFindings || stderr.Len() > 0 {
					t.Errorf("exit code %d, standard error %q; want 0 or 1 and nothing", code, clipped(stderr.String()))
				}
				shown := stdout.String()
				if args[0] == "report" { // Its style and its script have tabs.
					shown = strings.ReplaceAll(shown, "\t", "")
				}
				requirePrintable(t, shown)
				if most := 6 << 20; stdout.Len() > most {
					t.Errorf("%d bytes of output, want at most %d", stdout.Len(), most)
				}
				if args[0] != "report" && hasForged(stdout.String()) {
					t.Errorf("a name began a line of its own:\n%s", clipped(stdout.String()))
				}
			})
		}
	}
}

// hasForged reports whether a name of badRecordings is a line by itself.
func hasForged(text string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "P01 violation  forged") || strings.HasPrefix(line, "::error::forged") {
			return true
		}
	}
	return false
}

func requirePrintable(t *testing.T, text string) {
	t.Helper()
	for i, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("there is the character %U in %q", r, text[max(0, i-40):min(len(text), i+40)])
		}
	}
}

func clipped(text string) string { return text[:min(len(text), 2000)] }

// What cannot be read ends each command with one sentence and the exit code 2.
func TestReaders_Unreadable(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ input, want string }{
		"empty":           {want: "waybill: no spans in standard input: it is empty"},
		"blank":           {input: "\n \n", want: "waybill: no spans in standard input"},
		"another program": {input: "{\n  \"Name\": \"x\",\n  \"SpanContext\": {\n    \"TraceID\": \"1\"}}", want: "the stdouttrace exporter of Go"},
		"controls":        {input: controls, want: "no recording of spans"},
		"a message":       {input: "\x0a\xff\xff\xff\xff\x0f", want: "no spans could be read"},
		"nested":          {input: strings.Repeat(`{"resourceSpans":[`, 100_000), want: "no spans"},
		"damaged gzip":    {input: "\x1f\x8b\x08\x00garbage", want: "no spans"},
	} {
		for _, args := range readers {
			t.Run(name+"/"+strings.Join(args, " "), func(t *testing.T) {
				t.Parallel()
				var stdout, stderr bytes.Buffer
				code := run(t.Context(), args, strings.NewReader(tt.input), &stdout, &stderr)
				if said := stderr.String(); code != exitUsage || !strings.Contains(said, tt.want) || strings.Count(said, "\n") != 1 || stdout.Len() > 0 {
					t.Errorf("exit code %d, standard error %q, output %q; want 2, one line with %q, and nothing", code, clipped(said), clipped(stdout.String()), tt.want)
				}
				requirePrintable(t, stderr.String())
			})
		}
	}
}

// Damaged places are named by their line, and the rest is used.
func TestReaders_DamagedLines(t *testing.T) {
	t.Parallel()
	line := badLine(t, "api", bad(1, 0, "run", 1))
	text := line + strings.Repeat("\x1b[31mnot a span\n", 8)
	for _, args := range readers {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), args, strings.NewReader(text), &stdout, &stderr)
			said := stderr.String()
			if code == exitUsage || stdout.Len() == 0 || !strings.Contains(said, "waybill: damaged: standard input:2: ") || !strings.HasSuffix(said, "waybill: damaged: and 3 more places\n") {
				t.Errorf("exit code %d, %d bytes of output, standard error\n%s", code, stdout.Len(), said)
			}
			requirePrintable(t, said)
		})
	}
}

// A line of 100 MB is read.
func TestReaders_LongLine(t *testing.T) {
	t.Parallel()
	span := bad(1, 0, "run", 1)
	span.Attributes = []keyText{text("padding", "@")}
	before, after, _ := strings.Cut(badLine(t, "api", span), "@")
	in := io.MultiReader(strings.NewReader(before), io.LimitReader(repeated('x'), 100<<20), strings.NewReader(after))
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"tree"}, in, &stdout, &stderr); code != exitFine || !strings.Contains(stdout.String(), "api  run") {
		t.Errorf("exit code %d, output %q, standard error %q", code, clipped(stdout.String()), clipped(stderr.String()))
	}
}

// repeated is a reader of one character without end.
type repeated byte

// Read implements [io.Reader].
func (r repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

// Of a file that was cut off, what comes before is shown.
func TestReaders_CutOff(t *testing.T) {
	t.Parallel()
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	for n := range 5000 {
		if _, err := io.WriteString(w, badLine(t, "api", bad(n+1, 0, "run", 1))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "spans.jsonl.gz")
	if err := os.WriteFile(file, compressed.Bytes()[:compressed.Len()/2], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range readers {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), append(slices.Clip(args), file), nil, &stdout, &stderr)
			if code == exitUsage || stdout.Len() == 0 || !strings.Contains(stderr.String(), "unexpected EOF") {
				t.Errorf("exit code %d, %d bytes of output, standard error %q", code, stdout.Len(), &stderr)
			}
		})
	}
}
