// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package pagetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
	"github.com/waybill-go/waybill/internal/page"
)

// browser is the context of the browser of all tests.
var browser context.Context

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "waybill-page-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var stop context.CancelFunc
	if browser, stop, err = StartBrowser(context.Background(), dir, 1400, 1000); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stop()
	return m.Run()
}

// step is something that is done with a tab.
type step = chromedp.Action[chromedp.Void]

// limit is how long one test may use the browser.
const limit = time.Minute

// open opens a page in a tab of its own, after before. The test fails if the tab
// complains.
func open(t *testing.T, html string, before ...step) context.Context {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser)
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil { // The first call opens the tab, which must outlive the limit.
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	t.Cleanup(cancel)
	complaints, err := Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, said := range complaints.All() {
			t.Error("the browser says:", said)
		}
	})
	do(ctx, t, append(before, chromedp.Navigate(address(t, html)))...)
	return ctx
}

func address(t *testing.T, html string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "flow.html")
	if err := os.WriteFile(file, []byte(html), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + file
}

func do(ctx context.Context, t *testing.T, actions ...step) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// evaluate returns the value of an expression on the page.
func evaluate[T any](ctx context.Context, t *testing.T, expression string) T {
	t.Helper()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func write(t *testing.T, spans []flow.Span) string {
	t.Helper()
	g := flow.New(spans)
	var b bytes.Buffer
	if err := page.Write(&b, page.Report{Graph: g, Diagnosis: g.Diagnose(flow.Expectation{})}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// span returns a span that starts ms milliseconds after begin and takes 2.
func span(tr, n, parent int, service, name string, kind trace.SpanKind, ms float64) flow.Span {
	id := func(n int) flow.ID {
		return flow.ID{Trace: trace.TraceID{0: 1, 14: byte(tr >> 8), 15: byte(tr)}, Span: trace.SpanID{0: 1, 5: byte(n >> 16), 6: byte(n >> 8), 7: byte(n)}}
	}
	s := flow.Span{ID: id(n), Service: service, Name: name, Kind: kind, Start: begin.Add(time.Duration(ms * float64(time.Millisecond)))}
	s.End = s.Start.Add(2 * time.Millisecond)
	if parent != 0 {
		s.Parent = id(parent)
	}
	return s
}

// orders is a flow of n messages, of which the receiver continues the trace.
func orders(n int) []flow.Span {
	request := span(1, 1, 0, "api", "POST /orders", trace.SpanKindServer, 0)
	request.End = begin.Add(40 * time.Millisecond)
	spans := []flow.Span{request}
	for i := range n {
		message := []attribute.KeyValue{
			attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", "orders"),
			attribute.String("messaging.destination.partition.id", "0"), attribute.Int("messaging.kafka.offset", i),
		}
		sent := span(1, 4*i+2, 1, "api", "send orders", trace.SpanKindProducer, 1+float64(i)*20/float64(n))
		received := span(1, 4*i+3, 4*i+2, "etl", "process orders", trace.SpanKindConsumer, 30+float64(i)*60/float64(n))
		received.Remote = true
		load := span(1, 4*i+4, 4*i+3, "etl", "load", trace.SpanKindInternal, 30.5+float64(i)*60/float64(n))
		load.Attributes = []attribute.KeyValue{attribute.String("etl.stage", "load"), attribute.Int("etl.rows.read", 1)}
		if i%10 == 9 {
			load.Status, load.Message = codes.Error, "duplicate key"
		}
		sent.Attributes, received.Attributes = message, message
		spans = append(spans, sent, received, load)
	}
	return spans
}

// broken is orders whose receiver starts new traces.
func broken(n int) []flow.Span {
	spans := orders(n)
	for i := 2; i < len(spans); i += 3 {
		received, load := &spans[i], &spans[i+1]
		received.ID.Trace, received.Parent, received.Remote = trace.TraceID{0: 2, 14: byte(i >> 8), 15: byte(i)}, flow.ID{}, false
		load.ID.Trace, load.Parent = received.ID.Trace, received.ID
	}
	return spans
}

// skewed is a flow whose receiver has a clock that is late.
func skewed() []flow.Span {
	spans := orders(1)
	for i := 2; i < len(spans); i++ {
		spans[i].Start, spans[i].End = spans[i].Start.Add(-time.Second), spans[i].End.Add(-time.Second)
	}
	return spans
}

// hostile would run a script or leave its place if it was not escaped.
var hostile = []string{
	`</script>`, `</svg>`, `</title>`, `</pre>`, `</style>`, `<script>pwned=1</script>`, `<img src=x onerror=pwned=1>`, `<svg onload=pwned=1>`,
	`"`, `'`, "`", `${pwned=1}`, `{{.}}`, `<!--`, `-->`, `]]>`, `javascript:pwned=1`, `&lt;`, `&#x3c;`, "\x00", "\x1b[31m", "\u2028", "\u202e", "\ufeff",
	` onfocus=pwned=1 autofocus tabindex=1 `, `url(https://example.com/x)`, `<a href=https://example.com>`, `\u003cscript`, `%3Cscript%3E`, strings.Repeat("A", 3000),
}

// attacks is a flow of hostile texts, put together by chance.
func attacks(n int) []flow.Span {
	chance := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // A test is to do the same each time.
	text := func() string {
		var b strings.Builder
		for range 1 + chance.IntN(5) {
			b.WriteString(hostile[chance.IntN(len(hostile))])
		}
		return b.String()
	}
	var spans []flow.Span
	for i := range n {
		s := span(1+i%3, i+1, i, text(), text(), trace.SpanKind(1+i%5), float64(i))
		s.Remote, s.Scope, s.Instance = i%2 == 0, text(), text()
		s.Status, s.Message = codes.Error, text()
		s.Attributes = []attribute.KeyValue{
			attribute.String("messaging.system", text()), attribute.String("messaging.destination.name", text()), attribute.String("etl.stage", text()),
			attribute.String("error.type", text()), attribute.String("waybill.extract", "malformed "+text()), attribute.String(text(), text()),
		}
		spans = append(spans, s)
	}
	return spans
}

func TestPage_Shows(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spans []flow.Span
		count map[string]int // Elements by selector.
		texts map[string]string
	}{
		{name: "nothing", count: map[string]int{"svg": 0}, texts: map[string]string{"h1": "no spans were recorded"}},
		{
			name: "whole", spans: orders(5),
			count: map[string]int{"svg.time": 1, "svg.path": 1, ".row": 4, ".gap": 0, ".finding": 0, ".hop:not(.path *)": 1, ".queue": 1},
			texts: map[string]string{"h1": "CONNECTED one flow of 16 spans, 2 services, 1 trace; nothing is wrong", "svg.path": "kafka orders"},
		},
		{
			name: "broken", spans: broken(5),
			count: map[string]int{".time .gap": 1, ".path .gap": 2, ".gaptext": 1},
			texts: map[string]string{"h1": "BROKEN between api and etl", ".finding": "P02", ".gaptext": "does not continue the flow of its message"},
		},
		{
			name: "clocks that differ", spans: skewed(),
			count: map[string]int{".hop.skew": 1, ".row .clock": 1},
			texts: map[string]string{"#hops-title + .scroll": "clocks differ"},
		},
		{
			name: "errors", spans: orders(10),
			count: map[string]int{".span.failed .error": 1},
			texts: map[string]string{".row .bad": "✗ 1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := open(t, write(t, tt.spans))
			for selector, want := range tt.count {
				if got := evaluate[int](ctx, t, fmt.Sprintf("document.querySelectorAll(%q).length", selector)); got != want {
					t.Errorf("%d elements %s, want %d", got, selector, want)
				}
			}
			for selector, want := range tt.texts {
				got := evaluate[string](ctx, t, fmt.Sprintf("document.querySelector(%q)?.textContent ?? ''", selector))
				if !strings.Contains(strings.Join(strings.Fields(got), " "), want) {
					t.Errorf("%s says %q, want it to contain %q", selector, got, want)
				}
			}
		})
	}
}

// On a narrow screen, a table is scrolled, and no name is broken.
func TestPage_NamesStayWhole(t *testing.T) {
	ctx := open(t, write(t, orders(5)), chromedp.EmulateViewport(420, 900))
	do(ctx, t, chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("details").forEach(d => { d.open = true; })`))
	const cells = `[...document.querySelectorAll(".scroll table :is(th, td)")]`
	if n := evaluate[int](ctx, t, cells+`.length`); n == 0 {
		t.Fatal("the page has no tables")
	}
	const lines = `(cell => { const r = document.createRange(); r.selectNodeContents(cell); return new Set([...r.getClientRects()].map(b => b.top)).size; })`
	if broken := evaluate[[]string](ctx, t, cells+`.filter(cell => `+lines+`(cell) > 1).map(cell => cell.textContent)`); len(broken) > 0 {
		t.Errorf("cells of more than one line: %q", broken)
	}
	if !evaluate[bool](ctx, t, `document.documentElement.scrollWidth <= innerWidth`) {
		t.Error("the page is wider than the screen")
	}
}

// stretch is how much wider than the whole flow the picture is drawn.
const stretch = `(document.querySelector(".plot").transform.baseVal.consolidate()?.matrix.a ?? 1)`

func mouse(event input.DispatchMouseEventParams) step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, input.DispatchMouseEvent, event)
		return err
	})
}

func TestPage_Zoom(t *testing.T) {
	const middle = 500.0 // Of the window, and of the picture after center.
	center := chromedp.Evaluate[chromedp.Void](`document.querySelector("svg.time").scrollIntoView({block: "center"})`)
	wheel := func(x, y, delta float64) step {
		return mouse(input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseWheel, X: x, Y: y, DeltaX: 0.01, DeltaY: delta})
	}
	press := func(kind input.DispatchMouseEventType, x float64) step {
		return mouse(input.DispatchMouseEventParams{Type: kind, X: x, Y: middle, Button: input.MouseButtonLeft, Buttons: 1, ClickCount: 1})
	}
	drag := chromedp.Steps(press(input.DispatchMouseEventTypeMousePressed, 900), press(input.DispatchMouseEventTypeMouseMoved, 850),
		press(input.DispatchMouseEventTypeMouseMoved, 700), press(input.DispatchMouseEventTypeMouseReleased, 700))
	focus := chromedp.Focus(".row")
	for _, tt := range []struct {
		name    string
		actions []step
		zoomed  bool
	}{
		{name: "the wheel over the bars", actions: []step{wheel(900, middle, -300)}, zoomed: true},
		{name: "the wheel over the names", actions: []step{wheel(150, middle, -300)}},
		{name: "the wheel out of all", actions: []step{wheel(900, middle, 300)}},
		{name: "plus", actions: []step{focus, chromedp.KeyEvent("+")}, zoomed: true},
		{name: "plus and minus", actions: []step{focus, chromedp.KeyEvent("+"), chromedp.KeyEvent("-")}},
		{name: "plus and 0", actions: []step{focus, chromedp.KeyEvent("+"), chromedp.KeyEvent("+"), chromedp.KeyEvent("0")}},
		{name: "plus and right", actions: []step{focus, chromedp.KeyEvent("+"), chromedp.KeyEvent(kb.ArrowRight)}, zoomed: true},
		{name: "drag", actions: []step{focus, chromedp.KeyEvent("+"), drag}, zoomed: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := open(t, write(t, broken(5)), chromedp.EmulateViewport(1400, 2*middle))
			do(ctx, t, append([]step{center}, tt.actions...)...)
			if tt.zoomed { // What a wheel does is seen when the browser draws.
				do(ctx, t, chromedp.Poll[chromedp.Void](stretch+" > 1.01"), chromedp.Poll[chromedp.Void](`location.hash.includes("time=")`))
			}
			if got := evaluate[float64](ctx, t, stretch); got > 1.01 != tt.zoomed {
				t.Errorf("stretched %.2f times, want zoomed %t", got, tt.zoomed)
			}
		})
	}
}

func TestPage_Keyboard(t *testing.T) {
	ctx := open(t, write(t, orders(5)))
	if got := evaluate[int](ctx, t, `document.querySelectorAll(".row[tabindex='0']").length`); got != 1 {
		t.Errorf("%d rows are stops of the Tab key, want 1", got)
	}
	do(ctx, t, chromedp.Focus("#search"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Enter))
	if got, want := evaluate[string](ctx, t, `document.getElementById("details").textContent`), "send orders"; !strings.Contains(got, want) {
		t.Errorf("the details say %q, want %q", got, want)
	}
	for _, want := range []string{"golden line", "log query", "messaging.destination.name"} {
		if got := evaluate[string](ctx, t, `document.getElementById("details").textContent`); !strings.Contains(got, want) {
			t.Errorf("the details say %q, want %q", got, want)
		}
	}
	do(ctx, t, chromedp.Poll[chromedp.Void](`location.hash === "#span=" + document.querySelector(".row.chosen").id`))
	do(ctx, t, chromedp.KeyEvent(kb.Escape))
	if !evaluate[bool](ctx, t, `document.getElementById("details").hidden`) {
		t.Error("Escape does not close the details")
	}
}

func TestPage_Search(t *testing.T) {
	ctx := open(t, write(t, orders(5)))
	do(ctx, t, chromedp.SendKeys("#search", "LOAD"))
	if got := evaluate[int](ctx, t, `document.querySelectorAll(".row.dim").length`); got != 3 {
		t.Errorf("%d of 4 rows are dim, want 3", got)
	}
	if got := evaluate[int](ctx, t, `document.querySelectorAll(".span.dim").length`); got != 3 {
		t.Errorf("%d of 4 bars are dim, want 3", got)
	}
}

// The address keeps the view, for whoever opens it next.
func TestPage_Fragment(t *testing.T) {
	ctx := open(t, write(t, broken(5)))
	do(ctx, t, chromedp.SendKeys("#search", "send"), chromedp.Focus(".row"), chromedp.KeyEvent("+"), chromedp.KeyEvent(kb.Enter))
	do(ctx, t, chromedp.Poll[chromedp.Void](`["span=", "q=send", "time="].every((part) => location.hash.includes(part))`))
	const view = `[location.hash, document.querySelector(".row.chosen").id, document.getElementById("search").value, ` + stretch + `.toFixed(2)].join(" ")`
	want := evaluate[string](ctx, t, view)
	do(ctx, t, chromedp.Reload())
	if got := evaluate[string](ctx, t, view); got != want {
		t.Errorf("after a reload %s, want %s", got, want)
	}
	do(ctx, t, chromedp.Evaluate[chromedp.Void](`location.hash = "#span=nonsense&time=fa:9-1,x&q=%"`), chromedp.Reload())
}

func TestPage_Hostile(t *testing.T) {
	for _, scheme := range []string{"light", "dark"} {
		ctx := open(t, write(t, attacks(200)), media("screen", scheme))
		do(ctx, t, chromedp.Evaluate[chromedp.Void](`for (const row of document.querySelectorAll(".row")) row.dispatchEvent(new MouseEvent("click", {bubbles: true}))`))
		if evaluate[bool](ctx, t, `"pwned" in window`) {
			t.Error("a text of the recording ran as a script")
		}
		if got := evaluate[int](ctx, t, `document.querySelectorAll("img, iframe, object, embed, a:not(.skip), [onload], [onerror], [onfocus]").length`); got != 0 {
			t.Errorf("%d elements come from texts of the recording", got)
		}
		if got := evaluate[int](ctx, t, `document.scripts.length`); got != 2 {
			t.Errorf("%d scripts, want the 2 of the page", got)
		}
	}
}

func TestPage_WithoutScript(t *testing.T) {
	ctx := open(t, write(t, broken(5)), scripts(false))
	do(ctx, t, scripts(true)) // The page has been read; what asks about it is a script too.
	got := evaluate[struct{ Tree, Rows, Search bool }](ctx, t, `({Tree: document.querySelector("pre").checkVisibility(),
		Rows: document.querySelectorAll("svg.time .row").length > 0, Search: document.getElementById("search").checkVisibility()})`)
	if !got.Tree || !got.Rows || got.Search {
		t.Errorf("shown: %+v, want the tree and the rows, and no search", got)
	}
}

// scripts lets the tab run scripts, or not.
func scripts(run bool) step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !run})
		return err
	})
}

// media makes the tab show a page as on a medium, such as print, in a color scheme.
func media(medium, scheme string) step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: medium, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

func TestPage_Print(t *testing.T) {
	ctx := open(t, write(t, broken(5)), media("print", "dark"))
	got := evaluate[struct {
		Background string
		Search     string
	}](ctx, t, `({Background: getComputedStyle(document.body).backgroundColor, Search: getComputedStyle(document.querySelector(".search")).display})`)
	if got.Background != "rgb(255, 255, 255)" || got.Search != "none" {
		t.Errorf("print: %+v, want a white page without the search", got)
	}
}

func TestPage_Accessible(t *testing.T) {
	axe, err := os.ReadFile(filepath.Join("..", "..", ".cache", "e2e", "axe", "axe.min.js"))
	if err != nil {
		t.Fatal("axe-core is missing: run `make e2e-deps`")
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1400, 700} {
			t.Run(fmt.Sprint(scheme, " ", width), func(t *testing.T) {
				ctx := open(t, write(t, append(broken(20), skewed()...)), media("screen", scheme), chromedp.EmulateViewport(width, 1000))
				do(ctx, t, chromedp.Focus(".row"), chromedp.KeyEvent(kb.Enter))
				evaluate[int](ctx, t, string(axe)+";0")
				found := evaluate[string](ctx, t, `axe.run().then((r) => JSON.stringify(r.violations.map((v) => ({id: v.id, help: v.help, nodes: v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200))}))))`)
				var violations []map[string]any
				if err := json.Unmarshal([]byte(found), &violations); err != nil {
					t.Fatal(err)
				}
				for _, v := range violations {
					t.Errorf("axe: %v", v)
				}
			})
		}
	}
}

// Ten thousand spans are written in a second and opened in three; a hundred thousand
// can be used.
func TestPage_Fast(t *testing.T) {
	for _, tt := range []struct {
		spans       int
		write, open time.Duration
	}{
		{spans: 10_000, write: time.Second, open: 3 * time.Second},
		{spans: 100_000, write: 10 * time.Second, open: 10 * time.Second},
	} {
		t.Run(strconv.Itoa(tt.spans), func(t *testing.T) {
			spans := orders(tt.spans / 3)
			for i := range spans { // No two are alike, not even but for numbers.
				spans[i].Name += " " + strings.Map(func(digit rune) rune { return digit - '0' + 'a' }, strconv.Itoa(i))
			}
			html, wrote := "", time.Duration(math.MaxInt64)
			for range 3 { // The best of them, as other tests run on the machine too.
				started := time.Now()
				html = write(t, spans)
				wrote = min(wrote, time.Since(started))
			}
			ctx := open(t, html)
			opened := time.Duration(evaluate[float64](ctx, t, `performance.getEntriesByType("navigation")[0].loadEventEnd`) * float64(time.Millisecond))
			t.Logf("%d spans: %d bytes, written in %v, opened in %v", len(spans), len(html), wrote, opened)
			if wrote > tt.write || opened > tt.open || len(html) > 3<<20 {
				t.Errorf("want less than 3 MB, %v and %v", tt.write, tt.open)
			}
		})
	}
}
