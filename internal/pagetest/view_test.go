// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package pagetest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
)

// command builds the command, once.
var command = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "waybill-view-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "waybill")
	if out, err := exec.Command("go", "-C", filepath.Join("..", "..", "cmd", "waybill"), "build", "-o", file, ".").CombinedOutput(); err != nil { //nolint:noctx // The build has no other end.
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return file, nil
})

// view is a running waybill view, and its page in a tab.
type view struct {
	*testing.T

	tab            context.Context //nolint:containedctx // The handle of a tab.
	page, endpoint string
}

// startView starts the command, and opens its page after before. The test fails if the
// page complains.
func startView(t *testing.T, before ...step) *view {
	t.Helper()
	file, err := command()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), file, "view", "--no-open", "--listen", "127.0.0.1:0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // The context of the test is done by then.
	v := &view{T: t}
	for lines := bufio.NewScanner(stdout); v.endpoint == "" && lines.Scan(); {
		if _, page, ok := strings.Cut(lines.Text(), "waybill view is at "); ok {
			v.page = page
		}
		_, v.endpoint, _ = strings.Cut(lines.Text(), "OTEL_EXPORTER_OTLP_ENDPOINT=")
	}
	tab, closeTab := chromedp.NewContext(browser)
	t.Cleanup(closeTab)
	if err = chromedp.Do(tab); err != nil { // The first call opens the tab, which must outlive the limit.
		t.Fatal(err)
	}
	tab, cancel := context.WithTimeout(tab, limit)
	t.Cleanup(cancel)
	complaints, err := Watch(tab)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, said := range complaints.All() {
			if !strings.HasPrefix(said, "request: "+v.page) {
				t.Error("the browser says:", said)
			}
		}
	})
	do(tab, t, append(before, chromedp.Navigate(v.page))...)
	v.tab = tab
	return v
}

// export sends spans to the view, as an SDK does.
func (v *view) export(spans ...flow.Span) {
	v.Helper()
	r, err := http.NewRequestWithContext(v.Context(), http.MethodPost, v.endpoint+"/v1/traces", strings.NewReader(otlp(v.T, spans)))
	if err != nil {
		v.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		v.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		v.Fatalf("export: %s", response.Status)
	}
}

// otlp returns spans as a line of OTLP/JSON.
func otlp(t *testing.T, spans []flow.Span) string {
	t.Helper()
	type object = map[string]any
	text := func(value string) object { return object{"stringValue": value} }
	var resources []object
	for i := range spans {
		s := &spans[i]
		made := object{
			"traceId": s.ID.Trace.String(), "spanId": s.ID.Span.String(), "name": s.Name, "kind": int(s.Kind), "flags": 0x101,
			"startTimeUnixNano": strconv.FormatInt(s.Start.UnixNano(), 10), "endTimeUnixNano": strconv.FormatInt(s.End.UnixNano(), 10),
		}
		if s.Remote {
			made["flags"] = 0x301
		}
		if s.Parent.Span.IsValid() {
			made["parentSpanId"] = s.Parent.Span.String()
		}
		if s.Status == codes.Error {
			made["status"] = object{"code": 2, "message": s.Message}
		}
		attributes := []object{}
		for _, kv := range s.Attributes {
			attributes = append(attributes, object{"key": string(kv.Key), "value": text(kv.Value.String())})
		}
		made["attributes"] = attributes
		resources = append(resources, object{
			"resource":   object{"attributes": []object{{"key": "service.name", "value": text(s.Service)}}},
			"scopeSpans": []object{{"spans": []object{made}}},
		})
	}
	line, err := json.Marshal(object{"resourceSpans": resources})
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + "\n"
}

// patience is how long a change of the page may take.
const patience = 15 * time.Second

// wait waits until an expression of the page is true.
func (v *view) wait(expression string) {
	v.Helper()
	const look = `new Promise((resolve) => { const look = () => { if (%s) resolve(true); else setTimeout(look, 20); }; look(); })`
	ctx, cancel := context.WithTimeout(v.tab, patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(look, expression), chromedp.EvalAwaitPromise)); err != nil {
		v.Fatalf("the page never got %s: %v; it shows %.1500s", expression, err, evaluate[string](v.tab, v.T, "document.body.innerText"))
	}
}

// says returns an expression that is true once what selector selects contains text.
func says(selector, text string) string {
	return fmt.Sprintf("(document.querySelector(%q)?.textContent ?? '').replace(/\\s+/g, ' ').includes(%q)", selector, text)
}

func (v *view) click(selector string) {
	v.Helper()
	do(v.tab, v.T, chromedp.Click(selector))
}

// numbered returns the spans with the trace id n.
func numbered(n int, spans []flow.Span) []flow.Span {
	made := make([]flow.Span, len(spans))
	for i := range spans {
		made[i] = spans[i]
		made[i].ID.Trace = trace.TraceID{0: 7, 14: byte(n >> 8), 15: byte(n)}
		if made[i].Parent.Span.IsValid() {
			made[i].Parent.Trace = made[i].ID.Trace
		}
	}
	return made
}

// The page shows a flow as it grows, and keeps what its reader has opened and zoomed.
func TestView_Grows(t *testing.T) {
	v := startView(t)
	v.wait(says("#flow h1", "Waiting for spans"))
	v.wait(says("#flow pre", "OTEL_EXPORTER_OTLP_ENDPOINT="+v.endpoint))
	spans := orders(5)
	v.export(spans[:4]...)
	v.wait(says("#flow h1", "one flow of 4 spans"))
	v.wait(says("#link", "live"))
	do(v.tab, t, chromedp.Focus("#flow svg.time .row"), chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent("+"))
	v.wait(says("#details-title", "POST /orders"))
	v.click("#text summary")
	zoomed := evaluate[float64](v.tab, t, stretch)
	v.export(spans[4:]...)
	v.wait(says("#flow h1", "one flow of 16 spans"))
	v.wait(says("#list button", "16 spans"))
	got := evaluate[struct {
		Stretch              float64
		Details, Open, Focus bool
	}](v.tab, t, `({Stretch: `+stretch+`, Details: !document.getElementById("details").hidden, Open: document.getElementById("text").open,
		Focus: document.activeElement.classList.contains("row") || document.activeElement.tagName === "SUMMARY"})`)
	if got.Stretch != zoomed || zoomed <= 1 || !got.Details || !got.Open {
		t.Errorf("after it has grown: %+v, want a stretch of %v, and the details and the text open", got, zoomed)
	}
}

func TestView_Pause(t *testing.T) {
	v := startView(t)
	spans := orders(2)
	v.export(spans[:1]...)
	v.wait(says("#flow h1", "one flow of 1 span"))
	v.click("#pause")
	v.wait(says("#link", "paused"))
	v.export(spans[1:]...)
	v.export(numbered(2, spans)...)
	evaluate[int](v.tab, t, `new Promise((resolve) => { const more = new EventSource("/events"); more.addEventListener("flows", () => { more.close(); setTimeout(() => resolve(1), 700); }); })`)
	if !evaluate[bool](v.tab, t, says("#flow h1", "one flow of 1 span")+" && document.querySelectorAll('#list button').length === 1") {
		t.Error("the page has changed while it was paused")
	}
	v.click("#pause")
	v.wait(says("#flow h1", "one flow of 7 spans"))
	v.wait("document.querySelectorAll('#list button').length === 2")
}

// A break is listed first, and shown with both of its sides.
func TestView_Broken(t *testing.T) {
	v := startView(t)
	v.export(numbered(9, orders(1))...)
	v.export(broken(1)...)
	v.wait(says("#list li:first-child", "broken"))
	v.click("#list li:first-child button")
	v.wait(says("#flow h1", "BROKEN between api and etl"))
	v.wait("document.querySelectorAll('#flow .time .gap').length === 1")
	v.wait(says("title", "(1 broken)"))
}

func TestView_Filter(t *testing.T) {
	v := startView(t)
	failing := numbered(2, []flow.Span{span(2, 1, 0, "cron", "clean up", trace.SpanKindInternal, 0)})
	failing[0].Status = codes.Error
	v.export(append(failing, numbered(1, orders(1))...)...)
	v.wait("document.querySelectorAll('#list button').length === 2")
	names := func(want string) string {
		return fmt.Sprintf("[...document.querySelectorAll('#list .name')].map((e) => e.textContent).join() === %q", want)
	}
	v.wait(names("cron clean up,api POST /orders"))
	v.click("[data-state=errors]")
	v.wait(names("cron clean up"))
	v.click("[data-state=errors]")
	v.wait(names("cron clean up,api POST /orders"))
	do(v.tab, t, chromedp.Focus("#filter [name=text]"), chromedp.KeyEvent("post"))
	v.wait(names("api POST /orders"))
	evaluate[int](v.tab, t, `document.querySelector("#filter [name=text]").value = "", document.querySelector("#filter [name=service]").value = "cron",
		document.querySelector("#filter").dispatchEvent(new Event("input")), 0`)
	v.wait(names("cron clean up"))
	do(v.tab, t, chromedp.Focus("#filter [name=text]"), chromedp.KeyEvent("absent"))
	v.wait(says("#more", "No flow matches."))
}

func TestView_Keyboard(t *testing.T) {
	v := startView(t)
	for n := range 3 {
		v.export(numbered(n+1, []flow.Span{span(1, n+1, 0, "api", "job "+strconv.Itoa(n), trace.SpanKindInternal, 0)})...)
	}
	v.wait("document.querySelectorAll('#list button').length === 3")
	do(v.tab, t, chromedp.Focus("#list [tabindex='0']"), chromedp.KeyEvent(kb.End), chromedp.KeyEvent(kb.ArrowUp), chromedp.KeyEvent(kb.Enter))
	v.wait(says("#flow figcaption", "job 1") + " && " + says("#list [aria-current=true]", "job 1") + " && document.activeElement.textContent.includes('job 1')")
}

func TestView_LoadSaveClear(t *testing.T) {
	v := startView(t)
	load := fmt.Sprintf(`(() => { const files = new DataTransfer(); files.items.add(new File([%q], "spans.jsonl"));
		const input = document.getElementById("file"); input.files = files.files; input.dispatchEvent(new Event("change")); return 0; })()`, otlp(t, orders(3)))
	evaluate[int](v.tab, t, load)
	v.wait(says("#said", "Loaded 10 spans."))
	v.wait(says("#flow h1", "one flow of 10 spans"))
	if got := evaluate[string](v.tab, t, `fetch(document.getElementById("save").href).then((r) => r.text())`); strings.Count(got, `"traceId"`) != 10 {
		t.Errorf("saved %d spans, want 10", strings.Count(got, `"traceId"`))
	}
	v.click("#clear")
	v.wait(says("#clear", "Clear all?"))
	v.click("#clear")
	v.wait(says("#said", "Cleared.") + " && " + says("#totals", "0 spans, 0 flows") + " && document.querySelectorAll('#list button').length === 0")
	v.export(orders(1)...)
	v.wait(says("#flow h1", "one flow of 4 spans"))
}

func TestView_Hostile(t *testing.T) {
	v := startView(t)
	for n := range 20 {
		v.export(numbered(n+1, attacks(5))...)
	}
	v.wait("document.querySelectorAll('#list button').length === 20 && document.querySelector('#data')")
	for n := range 20 {
		v.click(fmt.Sprintf("#list li:nth-child(%d) button", n+1))
		v.wait("document.querySelectorAll('#flow .row').length > 0")
	}
	if evaluate[bool](v.tab, t, `"pwned" in window`) {
		t.Error("a text of a span ran as a script")
	}
	if got := evaluate[int](v.tab, t, `document.querySelectorAll("img, iframe, object, embed, a:not(.skip, #save), [onload], [onerror], [onfocus]").length`); got != 0 {
		t.Errorf("%d elements come from texts of spans", got)
	}
}

func TestView_Accessible(t *testing.T) {
	axe, err := os.ReadFile(filepath.Join("..", "..", ".cache", "e2e", "axe", "axe.min.js"))
	if err != nil {
		t.Fatal("axe-core is missing: run `make e2e-deps`")
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1400, 700} {
			t.Run(fmt.Sprint(scheme, " ", width), func(t *testing.T) {
				v := startView(t, media("screen", scheme), chromedp.EmulateViewport(width, 1000))
				v.check(string(axe), "waiting")
				failing := numbered(99, orders(10))
				v.export(append(failing, broken(3)...)...)
				v.wait("document.querySelectorAll('#list button').length === 2 && document.querySelector('#data')")
				v.check(string(axe), "with flows")
			})
		}
	}
}

// check looks for what makes the page hard to use for some.
func (v *view) check(axe, when string) {
	v.Helper()
	evaluate[int](v.tab, v.T, axe+";0")
	found := evaluate[string](v.tab, v.T, `axe.run().then((r) => JSON.stringify(r.violations.map((v) => ({id: v.id, help: v.help, nodes: v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200))}))))`)
	var violations []map[string]any
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		v.Fatal(err)
	}
	for _, violation := range violations {
		v.Errorf("axe, %s: %v", when, violation)
	}
}

// Ten thousand flows are listed, and one of ten thousand spans is shown, while one can
// use the page.
func TestView_Usable(t *testing.T) {
	v := startView(t)
	for n := range 100 {
		var spans []flow.Span
		for i := range 100 {
			spans = append(spans, numbered(100*n+i, []flow.Span{span(1, i+1, 0, "api", "work", trace.SpanKindInternal, 0)})...)
		}
		v.export(spans...)
	}
	large := orders(3333)
	for len(large) > 0 {
		n := min(len(large), 1000)
		v.export(large[:n]...)
		large = large[n:]
	}
	v.wait(says("#totals", "20,000 spans, 10,000 flows") + " || " + says("#totals", "19,999 spans"))
	do(v.tab, t, chromedp.Focus("#filter [name=text]"), chromedp.KeyEvent("post"))
	v.wait("document.querySelectorAll('#list button').length === 1")
	started := time.Now()
	evaluate[int](v.tab, t, `document.querySelector("#list button").click(), 0`)
	v.wait(says("#flow h1", "10,000 spans"))
	if took := time.Since(started); took > 3*time.Second {
		t.Errorf("the flow was shown after %v, want at most 3s", took)
	}
}
