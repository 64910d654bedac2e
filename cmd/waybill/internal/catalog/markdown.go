// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/waybill-go/waybill/internal/flow"
)

// WriteMarkdown writes c as Markdown, with columns that are aligned so that it reads
// well in a terminal too. If width is not 0, names are cut so that a line has at most
// width characters, where that is possible.
func (c *Catalog) WriteMarkdown(w io.Writer, width int) error {
	services := table{columns: []column{{name: "service"}, {name: "spans", right: true}, {name: "errors", right: true}}}
	for _, s := range c.Services {
		services.add(s.Name, flow.Count(s.Spans), dash(s.Failed))
	}
	carriers := table{columns: []column{{name: "carrier"}, {name: "hops", right: true}, {name: "broken", right: true}}}
	for _, k := range c.Carriers {
		carriers.add(k.Name, flow.Count(k.Hops), dash(k.Broken))
	}
	destinations := table{columns: []column{
		{name: "carrier"}, {name: "destination"}, {name: "sending spans", right: true}, {name: "receiving spans", right: true}, {name: "errors", right: true},
	}}
	for _, d := range c.Destinations {
		destinations.add(d.Carrier, d.Name, dash(d.Sent), dash(d.Received), dash(d.Failed))
	}
	_, err := fmt.Fprintf(w, "%s in %s.\n%s%s%s%s", flow.Plural(c.Spans, "span"), flow.Plural(c.Flows, "flow"),
		section("Services", &services, width), section("Carriers", &carriers, width),
		section("Destinations", &destinations, width), section("Edges", c.edgeTable(), width))
	return err
}

func (c *Catalog) edgeTable() *table {
	t := &table{columns: []column{
		{name: "from"},
		{name: "over"},
		{name: "to"},
		{name: "hops", right: true},
		{name: "by"},
		{name: "hop p50", right: true},
		{name: "p95", right: true},
		{name: "queue p50", right: true},
		{name: "p95", right: true},
		{name: "errors", right: true},
		{name: "broken", right: true},
		{name: "clocks", right: true},
	}}
	for i := range c.Edges {
		e := &c.Edges[i]
		hop, hop95 := e.Hop.text()
		queue, queue95 := e.Queue.text()
		errors := "–"
		if e.Failed > 0 {
			errors = percent(e.ErrorShare)
		}
		t.add(e.From, e.over(), e.To, flow.Count(e.Hops), e.by(), hop, hop95, queue, queue95, errors, dash(e.Broken), dash(e.Skewed))
	}
	return t
}

// by says what joins the spans of e.
func (e *Edge) by() string {
	switch {
	case e.Hops == 0:
		return "nothing"
	case e.Linked == 0:
		return "parent"
	case e.Linked == e.Hops:
		return "link"
	default:
		return "both"
	}
}

// text returns the quantiles for a person.
func (t *Times) text() (p50, p95 string) {
	if t == nil {
		return "–", "–"
	}
	return duration(t.P50), duration(t.P95)
}

// duration formats seconds, which may be from a file.
func duration(seconds float64) string {
	const most = float64(math.MaxInt64 / 2)
	return flow.Duration(time.Duration(max(min(seconds*float64(time.Second), most), -most)))
}

// percent formats a share.
func percent(share float64) string {
	if share > 0 && share < 0.001 {
		return "<0.1%"
	}
	return strconv.FormatFloat(share*100, 'f', 1, 64) + "%"
}

func dash(n int) string {
	if n == 0 {
		return "–"
	}
	return flow.Count(n)
}

func section(title string, t *table, width int) string {
	if len(t.rows) == 0 {
		return ""
	}
	return "\n## " + title + "\n\n" + t.markdown(width)
}

// table is a table of Markdown.
type table struct {
	columns []column
	rows    [][]string
}

type column struct {
	name  string
	right bool // Reports whether it is aligned to the right, as numbers are.
}

// maxCell is how many characters of a name are shown, and minCell how many of them if
// the table would be too wide.
const (
	maxCell = 200
	minCell = 8
)

// add adds a row. What is empty gets a dash.
func (t *table) add(cells ...string) {
	for n, cell := range cells {
		if cells[n] = flow.Clip(cell, maxCell); strings.TrimSpace(cells[n]) == "" {
			cells[n] = "–"
		}
	}
	t.rows = append(t.rows, cells)
}

// markdown returns the text of t. Columns are as wide as their cells, or less if a line
// would have more than width characters.
func (t *table) markdown(width int) string {
	widths := make([]int, len(t.columns))
	for n, c := range t.columns {
		widths[n] = utf8.RuneCountInString(c.name)
		for _, row := range t.rows {
			widths[n] = max(widths[n], utf8.RuneCountInString(escape(row[n])))
		}
	}
	if width > 0 {
		t.shrink(widths, width)
	}
	var b strings.Builder
	line := func(cell func(n int, c column) string) {
		for n, c := range t.columns {
			text := cell(n, c)
			space := strings.Repeat(" ", max(widths[n]-utf8.RuneCountInString(text), 0))
			if c.right {
				b.WriteString("| " + space + text + " ")
			} else {
				b.WriteString("| " + text + space + " ")
			}
		}
		b.WriteString("|\n")
	}
	line(func(_ int, c column) string { return c.name })
	line(func(n int, c column) string {
		if c.right {
			return strings.Repeat("-", max(widths[n]-1, 1)) + ":"
		}
		return strings.Repeat("-", widths[n])
	})
	for _, row := range t.rows {
		line(func(n int, _ column) string { return fit(row[n], widths[n]) })
	}
	return b.String()
}

// shrink makes the widest columns of text narrower until a line has width characters.
func (t *table) shrink(widths []int, width int) {
	total := 1
	for _, w := range widths {
		total += w + 3
	}
	for ; total > width; total-- {
		widest := -1
		for n, c := range t.columns {
			if !c.right && widths[n] > max(minCell, len(c.name)) && (widest < 0 || widths[n] > widths[widest]) {
				widest = n
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// fit returns text, escaped, of at most width characters.
func fit(text string, width int) string {
	for limit := width; ; limit-- {
		if escaped := escape(flow.Clip(text, limit)); utf8.RuneCountInString(escaped) <= width || limit <= 1 {
			return escaped
		}
	}
}

// escapes are the characters that mean something in a table of Markdown.
// https://github.github.com/gfm/
var escapes = strings.NewReplacer(
	`\`, `\\`, `|`, `\|`, "`", "\\`", `*`, `\*`, `[`, `\[`, `]`, `\]`, `<`, `\<`, `>`, `\>`, `&`, `\&`, `~`, `\~`,
)

// escape returns a name, which is one line, for a cell of a table.
func escape(name string) string { return escapes.Replace(name) }
