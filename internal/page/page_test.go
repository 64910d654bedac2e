// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package page_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
	"github.com/waybill-go/waybill/internal/page"
)

// span returns a span of trace tr.
func span(tr, n, parent byte, service, name string, kind trace.SpanKind) flow.Span {
	start := time.Date(2025, 1, 1, 0, 0, 0, int(n)*int(time.Millisecond), time.UTC)
	s := flow.Span{
		ID: flow.ID{Trace: trace.TraceID{15: tr}, Span: trace.SpanID{7: n}}, Service: service, Name: name, Kind: kind,
		Start: start, End: start.Add(2 * time.Millisecond),
	}
	if parent != 0 {
		s.Parent = flow.ID{Trace: trace.TraceID{15: tr}, Span: trace.SpanID{7: parent}}
	}
	return s
}

func write(t testing.TB, spans ...flow.Span) string {
	t.Helper()
	g := flow.New(spans)
	var b bytes.Buffer
	if err := page.Write(&b, page.Report{Graph: g, Diagnosis: g.Diagnose(flow.Expectation{})}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// hostile would leave its place in a page if it was not escaped.
const hostile = `</script></svg></pre><img src=x onerror=alert(1)>"'` + "`" + `{{.}}<!--` + "\x1b[31m\x00\u202e"

func TestWrite_EscapesEverything(t *testing.T) {
	t.Parallel()
	s := span(1, 1, 0, hostile, hostile, trace.SpanKindProducer)
	s.Attributes = []attribute.KeyValue{
		attribute.String(hostile, hostile), attribute.String("messaging.destination.name", hostile), attribute.String("etl.stage", hostile),
	}
	s.Status, s.Message = codes.Error, hostile
	received := span(1, 2, 1, hostile+"2", hostile, trace.SpanKindConsumer)
	received.Remote = true
	text := write(t, s, received)
	for _, forbidden := range []string{"<img", "onerror=alert(1)>", "<!--"} {
		if i := strings.Index(text, forbidden); i >= 0 {
			t.Errorf("the page contains %q: …%s…", forbidden, text[max(0, i-60):i+60])
		}
	}
	if n := strings.Count(text, "</script>"); n != 2 {
		t.Errorf("the page ends %d scripts, want its own 2", n)
	}
}

func TestWrite_MakesNoRequest(t *testing.T) {
	t.Parallel()
	text := write(t, span(1, 1, 0, "api", "GET /", trace.SpanKindServer))
	if !strings.Contains(text, "default-src &#39;none&#39;") && !strings.Contains(text, "default-src 'none'") {
		t.Error("the page has no policy that forbids requests")
	}
	if found := regexp.MustCompile(`(?i)(src|href)=["']?(https?:)?//`).FindString(text); found != "" {
		t.Errorf("the page refers to something outside: %q", found)
	}
	if strings.Contains(text, ` style="`) {
		t.Error("an element has a style attribute, which the policy forbids")
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	var many []flow.Span
	run := span(1, 1, 0, "api", "run", trace.SpanKindInternal)
	run.End = run.Start.Add(time.Second)
	many = append(many, run)
	for n := range 200 {
		s := span(1, byte(n+2), 1, "api", "send orders", trace.SpanKindProducer)
		many = append(many, s)
	}
	lost := span(2, 9, 0, "job", "process orders", trace.SpanKindConsumer)
	lost.Attributes = []attribute.KeyValue{attribute.String("messaging.destination.name", "orders")}
	sent := span(1, 1, 0, "api", "send orders", trace.SpanKindProducer)
	sent.Attributes = lost.Attributes
	message := func(n byte, late time.Duration) []flow.Span {
		send := span(1, n, 1, "api", "send orders", trace.SpanKindProducer)
		received := span(1, n+100, n, "job", "process orders", trace.SpanKindConsumer)
		received.Remote = true
		received.Start, received.End = received.Start.Add(late), received.End.Add(late)
		send.Attributes, received.Attributes = lost.Attributes, lost.Attributes
		return []flow.Span{send, received}
	}
	for _, tt := range []struct {
		name  string
		spans []flow.Span
		want  []string
	}{
		{name: "nothing", want: []string{"UNKNOWN", "no spans were recorded", "No spans were recorded."}},
		{name: "whole", spans: many, want: []string{"CONNECTED", "; nothing is wrong", "×200", "<svg class=\"time\"", "send orders"}},
		{
			name: "in a queue", spans: slices.Concat([]flow.Span{run}, message(2, 0), message(3, 0), message(4, time.Second)),
			want: []string{"class=\"queue\"", "in the queue: shortest 98ms, p50 98ms, longest 1.1s"},
		},
		{name: "clocks differ", spans: append(message(2, -time.Second), run), want: []string{"hop skew", "⚠ clocks differ", "-900ms"}},
		{name: "broken", spans: []flow.Span{sent, lost}, want: []string{"BROKEN", "P01 violation", "P01: &#34;job process orders&#34; starts a new trace", " between api and job: one flow in 2 pieces; 2 spans", "class=\"gap\""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := write(t, tt.spans...)
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("the page does not contain %q", want)
				}
			}
		})
	}
}

func TestWrite_CountsHaveSeparators(t *testing.T) {
	t.Parallel()
	spans := []flow.Span{span(1, 1, 0, "api", "POST /", trace.SpanKindServer)}
	for n := range 1234 {
		s := span(1, 1, 1, "api", "insert", trace.SpanKindInternal)
		s.ID.Span, s.Status = trace.SpanID{6: byte(n>>8) + 1, 7: byte(n)}, codes.Error
		spans = append(spans, s)
	}
	text := write(t, spans...)
	row := regexp.MustCompile(`<th scope="row">insert</th><td>[^<]*</td><td class="n">([^<]*)</td>.*<td class="n">([^<]*)</td></tr>`).FindStringSubmatch(text)
	if row == nil || row[1] != "1,234" || row[2] != "1,234" {
		t.Errorf("the table of spans has the counts %q, want twice 1,234", row)
	}
}

// The time in a queue is that before the first stage which works on a message: not of the
// stages after or below that one, nor of those of another process.
func TestWrite_QueueBeforeAStage(t *testing.T) {
	t.Parallel()
	stage := func(n, parent byte, service, name string) flow.Span {
		s := span(1, n, parent, service, name, trace.SpanKindInternal)
		s.Attributes = []attribute.KeyValue{attribute.String("etl.stage", name)}
		return s
	}
	received := span(1, 20, 1, "clean", "process orders", trace.SpanKindConsumer)
	handled := span(1, 21, 20, "clean", "handle", trace.SpanKindInternal)
	itself := span(1, 40, 1, "store", "store", trace.SpanKindConsumer)
	itself.Attributes = []attribute.KeyValue{attribute.String("etl.stage", "store")}
	relayed := span(1, 30, 1, "relay", "process orders", trace.SpanKindConsumer)
	run := span(1, 50, 30, "job", "run", trace.SpanKindInternal)
	for _, s := range []*flow.Span{&received, &itself, &relayed, &run} {
		s.Remote = true
	}
	check := stage(23, 22, "clean", "check")
	check.Start = check.Start.Add(-time.Millisecond) // As early as transform, on a coarse clock.
	text := write(
		t, span(1, 1, 0, "api", "send orders", trace.SpanKindProducer), received, handled, itself, relayed, run,
		stage(22, 21, "clean", "transform"), check, stage(24, 20, "clean", "load"),
		stage(41, 40, "store", "index"), stage(51, 50, "job", "summarize"),
	)
	for name, want := range map[string]string{
		"transform": "17ms", "check": "–", "load": "–", "store": "37ms", "index": "–", "summarize": "–",
	} {
		row := regexp.MustCompile(`<th scope="row">` + name + `</th>(?:<td class="n">([^<]*)</td>){7}<td class="n">[^<]*</td></tr>`).FindStringSubmatch(text)
		if row == nil {
			t.Errorf("the page has no stage %s", name)
		} else if row[1] != want {
			t.Errorf("in the queue before %s: %s, want %s", name, row[1], want)
		}
	}
}

// A page stays small where spans look the same, and draws a limited number of others.
func TestWrite_IsBounded(t *testing.T) {
	t.Parallel()
	var spans []flow.Span
	for n := range 20_000 {
		s := span(byte(n%7), byte(n%250), 0, "api", fmt.Sprint("span ", n), trace.SpanKindInternal)
		s.ID.Span[0], s.ID.Span[1], s.ID.Trace[0], s.ID.Trace[1] = byte(n>>8), byte(n), byte(n>>8), byte(n)
		spans = append(spans, s)
	}
	if n := len(write(t, spans...)); n > 3<<20 {
		t.Errorf("the page has %d bytes, want less than 3 MB", n)
	}
	long := strings.Repeat("a long name ", 100_000)
	for i := range spans[:60] {
		s := &spans[i]
		s.Service, s.Name, s.Message, s.Status = long, long+strconv.Itoa(i), long, codes.Error
		for n := range 50 {
			s.Attributes = append(s.Attributes, attribute.String(strconv.Itoa(n), long))
		}
	}
	if n := len(write(t, spans[:60]...)); n > 3<<20 {
		t.Errorf("the page of long texts has %d bytes, want less than 3 MB", n)
	}
}

// FuzzWrite puts any text in every place where a recording has one.
func FuzzWrite(f *testing.F) {
	f.Add(hostile, hostile)
	f.Add("", "\x00\xff\u2028")
	f.Add("orders 17", "messaging.destination.name")
	f.Fuzz(func(t *testing.T, a, b string) {
		sent := span(1, 1, 0, a, b, trace.SpanKindProducer)
		sent.Scope, sent.Instance, sent.Message, sent.Status = a, b, a, codes.Error
		sent.Attributes = []attribute.KeyValue{
			attribute.String(a, b), attribute.String("messaging.destination.name", b), attribute.String("messaging.message.id", a),
			attribute.String("etl.stage", a), attribute.String("error.type", b), attribute.String("waybill.extract", "malformed "+a),
		}
		received := sent
		received.ID.Trace[0], received.ID.Span[0], received.Kind, received.Service = 1, 1, trace.SpanKindConsumer, b
		text := write(t, sent, received)
		if scripts := strings.Count(text, "<script"); scripts != 2 {
			t.Errorf("the page has %d scripts, want its own 2", scripts)
		}
		if !utf8.ValidString(text) {
			t.Error("the page is not UTF-8")
		}
		if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); i >= 0 {
			t.Errorf("the page has a control character: %q", text[max(0, i-40):i+1])
		}
		if strings.Contains(text, "<img") || strings.Contains(text, "<iframe") {
			t.Error("a text is part of the page")
		}
	})
}

// FuzzWrite_Shapes writes flows of any shape: three bytes are a span, of its id, its
// parent, and its kind, service and link.
func FuzzWrite_Shapes(f *testing.F) {
	f.Add([]byte{1, 0, 0, 2, 1, 0x45, 3, 2, 0x8b})
	f.Add([]byte{1, 1, 0, 2, 3, 4, 3, 2, 5})
	// Several flows, and spans that share an id, of which one was delivered twice.
	f.Add([]byte("j2\xffp\xff\xff\xff\x80pppp\xb6\x80\x00\x01\xaa\xaapppppp\xaa\xaa\x06\x06\x06\x06\x06\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaaJ\x00\x10\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var spans []flow.Span
		for n := 0; n+2 < len(data) && n < 300; n += 3 {
			s := span(1+data[n]>>6, data[n]&63, data[n+1]&63, string(rune('a'+data[n+2]>>6)), "n", trace.SpanKind(data[n+2]%6))
			s.Remote, s.Links = data[n+1]&64 != 0, []flow.ID{{Trace: s.ID.Trace, Span: trace.SpanID{7: data[n+2] & 31}}}
			s.Attributes = []attribute.KeyValue{attribute.String("messaging.destination.name", "orders"), attribute.Int("messaging.message.id", int(data[n+2]&7))}
			if data[n+1]&128 != 0 {
				s.End, s.Links = time.Time{}, nil
			}
			spans = append(spans, s)
		}
		text := write(t, spans...)
		for _, wrong := range []string{"NaN", "Inf", "%!"} {
			if strings.Contains(text[strings.Index(text, "<main>")+1:strings.Index(text, "<footer>")], wrong) {
				t.Errorf("the page has %s", wrong)
			}
		}
	})
}

// The policy of the live page allows its own style and script and nothing else.
func TestWriteLive_Policy(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := page.WriteLive(&b, page.Live{Endpoints: []string{hostile}, States: []string{"broken"}}); err != nil {
		t.Fatal(err)
	}
	for _, element := range []string{"style", "script"} {
		found := regexp.MustCompile(`(?s)<` + element + `>(.*)</` + element + `>`).FindStringSubmatch(b.String())
		if found == nil {
			t.Fatalf("the page has no %s", element)
		}
		sum := sha256.Sum256([]byte(found[1]))
		if want := element + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(page.LivePolicy(), want) {
			t.Errorf("policy %q, want %q", page.LivePolicy(), want)
		}
	}
	if strings.Contains(b.String(), "<img") {
		t.Error("an endpoint is not escaped")
	}
}

func TestWriteFlow(t *testing.T) {
	t.Parallel()
	g := flow.New([]flow.Span{span(1, 1, 0, hostile, hostile, trace.SpanKindProducer)})
	var b bytes.Buffer
	if err := page.WriteFlow(&b, page.Report{Note: "A note.", Graph: g, Diagnosis: g.Diagnose(flow.Expectation{})}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CONNECTED", "A note.", `id="data"`, `class="time`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the flow has no %q", want)
		}
	}
	if strings.Contains(b.String(), "<img") || strings.Contains(b.String(), "<html") {
		t.Error("the flow is not escaped, or a whole page")
	}
}
