// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
)

// The measures of a picture, in units of its view box.
const (
	pictureWidth = 1200.0
	labelWidth   = 330.0
	rowHeight    = 24.0
	laneHead     = 26.0
	axisHeight   = 28.0
	rightMargin  = 20.0
	barHeight    = 14.0
	indent       = 14.0
	cells        = 80   // A folded bar shows in how many parts when its spans were active.
	maxRows      = 1500 // Groups beyond are not drawn.
	colors       = 8    // Of lanes.
)

// picture is a flow over time: a lane a service, a row a group of spans.
type picture struct {
	ID            string
	Width, Height float64
	Left, Right   float64 // Where time begins and ends.
	Nanoseconds   int64   // Between them.
	Ticks         []tick
	Lanes         []lane
	Bars          []bar
	Hops          []hop
	Queues        []queue
	Gaps          []gap
	More          string // How many rows are not drawn; empty for none.
}

type tick struct {
	X    float64
	Text string
}

type lane struct {
	Y, Height float64
	Name      string
	Color     int
}

// bar is a group of spans.
type bar struct {
	ID, Name, Count, Title string
	Y, X, Width            float64
	LabelX                 float64
	Color                  int
	Cells                  []cell
	Errors                 string // How many; empty for none.
}

// PlotWidth returns the width of the part that shows time.
func (p *picture) PlotWidth() float64 { return p.Right - p.Left }

// EndX returns where the mark of errors begins.
func (b bar) EndX() float64 { return b.X + b.Width - 2 }

// Short returns the name as far as there is room for it.
func (b bar) Short() string { return flow.Clip(b.Name, int((labelWidth-b.LabelX)/7.2)-len(b.Count)) }

// cell is a part of a folded bar, darker where more of its spans were active.
type cell struct{ X, Width, Opacity float64 }

// hop joins two bars.
type hop struct {
	Path  string
	Link  bool
	Title string
}

// queue is the time between a send and its receipt.
type queue struct {
	X, Y, Width, Height float64
	Title               string
}

// gap is where the flow broke.
type gap struct {
	Path  string
	X, Y  float64 // Of the sentence.
	Text  string
	Title string
}

// row is a group that is being laid out.
type row struct {
	group  *flow.Group
	parent *row
	lane   int
	depth  int // Among the rows of its lane.
	y      float64
	bar    *bar
}

// layout lays out one picture.
type layout struct {
	g        *flow.Graph
	p        *picture
	from, to time.Time
	rows     []*row
	lanes    map[string]int
	names    []string
	of       map[int]*row // The row of each span.
	details  map[string]*detail
	omitted  int
}

func newPicture(g *flow.Graph, id string, details map[string]*detail) *picture {
	l := &layout{
		g: g, details: details, lanes: map[string]int{}, of: map[int]*row{},
		p: &picture{ID: id, Width: pictureWidth, Left: labelWidth, Right: pictureWidth - rightMargin},
	}
	l.from, l.to = extent(g, g.All())
	l.p.Nanoseconds = max(l.to.Sub(l.from).Nanoseconds(), 1)
	for _, group := range g.Groups() {
		l.add(group, nil)
	}
	l.place()
	l.ticks()
	for _, r := range l.rows {
		l.draw(r)
	}
	for _, r := range l.rows {
		l.join(r)
	}
	l.mark()
	if l.omitted > 0 {
		l.p.More = flow.Plural(l.omitted, "more group") + " of spans not drawn; the text below has them."
	}
	return l.p
}

// extent returns when the first of spans started and the last ended.
func extent(g *flow.Graph, spans []int) (from, to time.Time) {
	for n, i := range spans {
		s := &g.Spans()[i]
		if n == 0 || s.Start.Before(from) {
			from = s.Start
		}
		if end := endOf(s); n == 0 || end.After(to) {
			to = end
		}
	}
	return from, to
}

// endOf returns the end of s, or its start if it is open.
func endOf(s *flow.Span) time.Time {
	if s.End.Before(s.Start) {
		return s.Start
	}
	return s.End
}

// add makes rows of a group and what is below it.
func (l *layout) add(group *flow.Group, parent *row) {
	if len(l.rows) == maxRows {
		l.omitted++
		return
	}
	service := l.g.Spans()[group.Spans[0]].Service
	number, ok := l.lanes[service]
	if !ok {
		number = len(l.names)
		l.lanes[service] = number
		l.names = append(l.names, service)
	}
	r := &row{group: group, parent: parent, lane: number}
	if parent != nil && parent.lane == number {
		r.depth = parent.depth + 1
	}
	l.rows = append(l.rows, r)
	for _, i := range group.Spans {
		l.of[i] = r
	}
	for _, below := range group.Below {
		l.add(below, r)
	}
}

// place gives each lane and each row its place from the top.
func (l *layout) place() {
	y := axisHeight
	for number, name := range l.names {
		top := y
		y += laneHead
		for _, r := range l.rows {
			if r.lane == number {
				r.y = y
				y += rowHeight
			}
		}
		y += 8
		if name == "" {
			name = "(service without a name)"
		}
		l.p.Lanes = append(l.p.Lanes, lane{Y: top, Height: y - top - 4, Name: name, Color: number % colors})
	}
	l.p.Height = y + 6
}

// x returns the place of a time from the left.
func (l *layout) x(t time.Time) float64 {
	share := float64(t.Sub(l.from)) / float64(l.p.Nanoseconds)
	return l.p.Left + share*(l.p.Right-l.p.Left)
}

// ticks marks round times, about eight of them.
func (l *layout) ticks() {
	step := time.Duration(1)
	total := time.Duration(l.p.Nanoseconds)
	for _, factor := range rounds {
		if step = factor; total/step <= 8 {
			break
		}
	}
	for at := time.Duration(0); at <= total; at += step {
		l.p.Ticks = append(l.p.Ticks, tick{l.x(l.from.Add(at)), flow.Duration(at)})
		if len(l.p.Ticks) > 20 {
			break
		}
	}
}

// rounds are the steps between ticks.
var rounds = func() []time.Duration {
	var steps []time.Duration
	for unit := time.Duration(1); unit < 10*time.Second; unit *= 10 {
		steps = append(steps, unit, 2*unit, 5*unit)
	}
	for _, s := range []int{10, 30, 60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600, 365 * 24 * 3600} {
		steps = append(steps, time.Duration(s)*time.Second)
	}
	return steps
}()

// draw makes the bar of r.
func (l *layout) draw(r *row) {
	first := &l.g.Spans()[r.group.Spans[0]]
	from, to := extent(l.g, r.group.Spans)
	d := l.detail(r)
	r.bar = &bar{
		ID: fmt.Sprintf("%s-%d", l.p.ID, len(l.p.Bars)), Name: first.Name, Color: r.lane % colors,
		Y: r.y, X: l.x(from), Width: max(l.x(to)-l.x(from), 2), LabelX: 14 + indent*float64(min(r.depth, 8)),
		Title: d.title(),
	}
	if n := len(r.group.Spans); n > 1 {
		r.bar.Count = "×" + flow.Count(n)
		r.bar.Cells = l.cells(r)
	}
	if d.Errors > 0 {
		r.bar.Errors = flow.Count(d.Errors)
	}
	l.details[r.bar.ID] = d
	l.p.Bars = append(l.p.Bars, *r.bar)
}

// cells returns when how many of the spans of r were active.
func (l *layout) cells(r *row) []cell {
	from, width := r.bar.X, r.bar.Width/cells
	var active [cells]int
	most := 0
	for _, i := range r.group.Spans {
		s := &l.g.Spans()[i]
		first := min(max(int((l.x(s.Start)-from)/width), 0), cells-1)
		last := min(max(int((l.x(endOf(s))-from)/width), first), cells-1)
		for c := first; c <= last; c++ {
			active[c]++
			most = max(most, active[c])
		}
	}
	var made []cell
	for c := 0; c < cells; c++ {
		end := c
		for end+1 < cells && active[end+1] == active[c] {
			end++
		}
		if active[c] > 0 {
			made = append(made, cell{from + float64(c)*width, float64(end-c+1) * width, 0.35 + 0.65*float64(active[c])/float64(most)})
		}
		c = end
	}
	return made
}

// join draws the hop that leads to r from another lane, and the time in a queue.
func (l *layout) join(r *row) {
	p := r.parent
	if p == nil || p.lane == r.lane && r.group.Bond == flow.BondParent {
		return
	}
	sent, received := l.g.Spans()[p.group.Spans[0]], l.g.Spans()[r.group.Spans[0]]
	x1, y1 := l.x(sent.Start), p.y+rowHeight/2
	if p.lane != r.lane {
		x1 = min(l.x(endOf(&sent)), p.bar.X+p.bar.Width)
	}
	x2, y2 := r.bar.X, r.y+rowHeight/2
	l.p.Hops = append(l.p.Hops, hop{
		Path: curve(x1, y1, x2, y2), Link: r.group.Bond != flow.BondParent,
		Title: sent.Label() + " → " + received.Label(),
	})
	if wait := received.Start.Sub(endOf(&sent)); wait > 0 && received.Kind == trace.SpanKindConsumer {
		l.p.Queues = append(l.p.Queues, queue{
			X: l.x(endOf(&sent)), Y: r.y + 8, Width: max(r.bar.X-l.x(endOf(&sent)), 1), Height: 8,
			Title: "in the queue for " + flow.Duration(wait) + " (the first message)",
		})
	}
}

func curve(x1, y1, x2, y2 float64) string {
	bend := max((x2-x1)/2, 18)
	return fmt.Sprintf("M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f", x1, y1, x1+bend, y1, x2-bend, y2, x2, y2)
}

// mark draws where the flow broke.
func (l *layout) mark() {
	for _, f := range l.g.Diagnose(flow.Expectation{}).Findings {
		if f.Level == flow.Info || f.From < 0 || f.To < 0 {
			continue
		}
		from, to := l.of[f.From], l.of[f.To]
		if from == nil || to == nil || from == to {
			continue
		}
		x1, y1 := from.bar.X+from.bar.Width, from.y+rowHeight/2
		x2, y2 := to.bar.X, to.y+rowHeight/2
		l.p.Gaps = append(l.p.Gaps, gap{
			Path: curve(x1, y1, x2, y2), X: min(max(x2, l.p.Left)+4, l.p.Right-200), Y: y2 - 12,
			Text: f.ID + ": the flow is lost here", Title: f.What,
		})
		if len(l.p.Gaps) == maxGaps {
			return
		}
	}
}

const maxGaps = 20

// detail is what the page tells of a row.
type detail struct {
	Service  string     `json:"service"`
	Name     string     `json:"name"`
	Kind     string     `json:"kind"`
	Channel  string     `json:"channel,omitempty"`
	Count    int        `json:"count"`
	Errors   int        `json:"errors,omitempty"`
	Error    string     `json:"error,omitempty"`
	Shortest string     `json:"shortest"`
	Median   string     `json:"median"`
	P95      string     `json:"p95"`
	Longest  string     `json:"longest"`
	TraceID  string     `json:"traceId"`
	SpanID   string     `json:"spanId"`
	Links    int        `json:"links,omitempty"`
	Path     string     `json:"path"`
	Items    [][]string `json:"attributes,omitempty"` // Of the first span.
}

const (
	maxItems    = 40
	maxItemText = 400
)

func (l *layout) detail(r *row) *detail {
	first := &l.g.Spans()[r.group.Spans[0]]
	took := durations(l.g, r.group.Spans)
	d := &detail{
		Service: first.Service, Name: first.Name, Kind: strings.ToUpper(first.Kind.String()), Channel: first.Channel(),
		Count: len(r.group.Spans), TraceID: first.ID.Trace.String(), SpanID: first.ID.Span.String(), Path: l.g.Path(r.group.Spans[0]),
		Shortest: flow.Duration(took[0]), Median: flow.Duration(quantile(took, 0.5)),
		P95: flow.Duration(quantile(took, 0.95)), Longest: flow.Duration(took[len(took)-1]),
	}
	for _, i := range r.group.Spans {
		s := &l.g.Spans()[i]
		d.Links += len(s.Links)
		if failure := s.Failure(); failure != "" {
			d.Errors++
			d.Error = failure
			if s.Message != "" {
				d.Error += ": " + flow.Clip(s.Message, maxItemText)
			}
		}
	}
	for _, kv := range first.Attributes[:min(len(first.Attributes), maxItems)] {
		d.Items = append(d.Items, []string{flow.Clip(string(kv.Key), maxItemText), flow.Clip(kv.Value.String(), maxItemText)})
	}
	return d
}

// title is what a pointer over the row shows.
func (d *detail) title() string {
	text := d.Service + " " + d.Name
	if d.Count > 1 {
		return fmt.Sprintf("%s ×%s, %s to %s, p95 %s", text, flow.Count(d.Count), d.Shortest, d.Longest, d.P95)
	}
	return text + ", " + d.Longest
}

// durations returns how long spans took, the shortest first.
func durations(g *flow.Graph, spans []int) []time.Duration {
	took := make([]time.Duration, len(spans))
	for n, i := range spans {
		s := &g.Spans()[i]
		took[n] = endOf(s).Sub(s.Start)
	}
	slices.Sort(took)
	return took
}

// quantile returns the value at a share of sorted values.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// letters numbers pictures: a, b, c ...
func letters(n int) string { return string(rune('a' + n)) }
