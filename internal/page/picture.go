// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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
	gapHeight    = 18.0 // Of the sentence above a bar where the flow broke.
	maxCells     = 80   // A folded bar shows in how many parts when its spans were active,
	minCells     = 16   // fewer where there are many bars.
	allCells     = 24_000
	maxRows      = 1500 // Groups beyond are not drawn.
	maxGaps      = 20
	colors       = 8    // Of lanes.
	minBend      = 16.0 // Of a curve.
	manyHops     = 60
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
	broken        []broken
	More          string // How many rows are not drawn; empty for none.
}

type tick struct {
	X    float64
	Text string
}

type lane struct {
	Y, Height   float64
	Name, Short string
	Color       int
}

// bar is a group of spans.
type bar struct {
	ID, Name, Count, Title string
	Y, X, Width            float64
	LabelX                 float64
	Color                  int
	Cells                  []cell
	Errors                 string // How many; empty for none.
	Skew                   bool   // It starts before what it continues: the clocks differ.
}

// plotWidth returns the width of the part that shows time.
func (p *picture) plotWidth() float64 { return p.Right - p.Left }

// isMany reports whether there are too many hops to tell them apart.
func (p *picture) isMany() bool { return len(p.Hops) > manyHops }

// namesWidth returns the width of the part that shows names.
func (p *picture) namesWidth() float64 { return p.Left - 6 }

// endX returns where the mark of errors begins.
func (b bar) endX() float64 { return b.X + b.Width - 2 }

// short returns the name as far as there is room for it.
func (b bar) short() string {
	taken := utf8.RuneCountInString(b.Count) + len(b.Errors)
	if b.Errors != "" {
		taken += 3
	}
	if b.Skew {
		taken += 3
	}
	return flow.Clip(b.Name, max(int((labelWidth-b.LabelX)/7.2)-taken, 4))
}

// label is what a screen reader says of the bar: the text that is seen, and the rest.
func (b bar) label() string {
	seen := b.short()
	if b.Count != "" {
		seen += " " + b.Count
	}
	if b.Errors != "" {
		seen += " ✗ " + b.Errors
	}
	if b.Skew {
		seen += " ⚠"
	}
	return seen + ": " + b.Title
}

// cell is a part of a folded bar, darker where more of its spans were active.
type cell struct{ X, Width, Opacity float64 }

// hop joins two bars.
type hop struct {
	Path  string
	Link  bool
	Skew  bool
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
	gaps   []*flow.Finding // Where the flow broke before it.
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
	v        *view
	omitted  int
}

// newPicture draws g, which is the spans of v's recording that spans lists.
func newPicture(v *view, g *flow.Graph, spans []int, id string, findings []flow.Finding) *picture {
	l := &layout{
		g: g, v: v, lanes: map[string]int{}, of: map[int]*row{},
		p: &picture{ID: id, Width: pictureWidth, Left: labelWidth, Right: pictureWidth - rightMargin},
	}
	l.from, l.to = extent(g, g.All())
	l.p.Nanoseconds = max(l.to.Sub(l.from).Nanoseconds(), 1)
	for _, group := range g.Groups() {
		l.add(group, nil)
	}
	l.p.broken = l.findGaps(spans, findings)
	l.place()
	l.ticks()
	for _, r := range l.rows {
		l.draw(r)
	}
	for _, r := range l.rows {
		l.join(r)
	}
	for _, r := range l.rows {
		l.p.Bars = append(l.p.Bars, *r.bar)
	}
	for _, gap := range l.p.broken {
		l.drawGap(gap)
	}
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
		if end := s.Last(); n == 0 || end.After(to) {
			to = end
		}
	}
	return from, to
}

// add makes rows of a group and what is below it.
func (l *layout) add(group *flow.Group, parent *row) {
	if len(l.v.Details)+len(l.rows) >= maxRows {
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
				y += gapHeight * float64(len(r.gaps))
				r.y = y
				y += rowHeight
			}
		}
		y += 8
		if name == "" {
			name = "(service without a name)"
		}
		l.p.Lanes = append(l.p.Lanes, lane{
			Y: top, Height: y - top - 4, Name: flow.Clip(name, maxName), Short: flow.Clip(name, 40), Color: number % colors,
		})
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
		l.p.Ticks = append(l.p.Ticks, tick{l.x(l.from.Add(at)), round(at)})
		if len(l.p.Ticks) > 20 {
			break
		}
	}
}

// round formats a duration without parts that are zero.
func round(d time.Duration) string {
	text := flow.Duration(d)
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
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
	from, to := extent(l.g, r.group.Spans)
	d := l.detail(r)
	r.bar = &bar{
		ID: fmt.Sprintf("%s-%d", l.p.ID, len(l.v.Rows)), Name: d.Name, Color: r.lane % colors,
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
	l.v.Details[r.bar.ID] = d
	l.v.Rows = append(l.v.Rows, d)
}

// cells returns when how many of the spans of r were active.
func (l *layout) cells(r *row) []cell {
	cells := min(max(allCells/len(l.rows), minCells), maxCells)
	from, width := r.bar.X, r.bar.Width/float64(cells)
	active := make([]int, cells)
	most := 0
	for _, i := range r.group.Spans {
		s := &l.g.Spans()[i]
		first := min(max(int((l.x(s.Start)-from)/width), 0), cells-1)
		last := min(max(int((l.x(s.Last())-from)/width), first), cells-1)
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
	if p == nil {
		return
	}
	received := &l.g.Spans()[r.group.Spans[0]]
	if p.lane == r.lane && r.group.Bond == flow.BondParent && !received.Remote {
		return
	}
	sender := l.sender(p, r.group.Spans[0])
	sent := &l.g.Spans()[sender]
	r.bar.Skew = flow.Skewed(sent, received)
	left := sent.Start
	if !r.bar.Skew { // The sender goes on while the receiver works.
		left = earlier(sent.Last(), received.Start)
	}
	l.p.Hops = append(l.p.Hops, hop{
		Path: curve(l.x(left), p.y+rowHeight/2, l.x(received.Start), r.y+rowHeight/2), Link: r.group.Bond != flow.BondParent,
		Skew: r.bar.Skew, Title: flow.Clip(sent.Label(), maxName) + " → " + flow.Clip(received.Label(), maxName),
	})
	if received.Kind == trace.SpanKindConsumer {
		l.queue(r)
	}
}

// sender returns the span of p that span i continues, or the first of p.
func (l *layout) sender(p *row, i int) int {
	if parent := l.g.Parent(i); parent >= 0 && l.of[parent] == p {
		return parent
	}
	for _, target := range l.g.Links(i) {
		if l.of[target] == p {
			return target
		}
	}
	return p.group.Spans[0]
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// queue draws how long the messages of r were in a queue: the one for which it took
// the median of all.
func (l *layout) queue(r *row) {
	type wait struct {
		took     time.Duration
		from, to time.Time
	}
	var waits []wait
	for _, i := range r.group.Spans {
		sent, received := l.g.Spans()[l.sender(r.parent, i)].Last(), l.g.Spans()[i].Start
		if took := received.Sub(sent); took > 0 {
			waits = append(waits, wait{took, sent, received})
		}
	}
	if len(waits) == 0 {
		return
	}
	slices.SortFunc(waits, func(a, b wait) int { return cmp.Compare(a.took, b.took) })
	w := waits[len(waits)/2]
	q := queue{X: l.x(w.from), Y: r.y + 8, Width: max(l.x(w.to)-l.x(w.from), 1), Height: 8, Title: "in the queue for " + flow.Duration(w.took)}
	if len(r.group.Spans) > 1 { // The bar of the others is where its own would be.
		q.Y, q.Height = r.y+20, 4
		q.Title = fmt.Sprintf("in the queue: shortest %s, p50 %s, longest %s",
			flow.Duration(waits[0].took), flow.Duration(w.took), flow.Duration(waits[len(waits)-1].took))
	}
	l.p.Queues = append(l.p.Queues, q)
}

// curve returns a line from the right of something to the left of another. If they
// are one above the other, it leads down or up.
func curve(x1, y1, x2, y2 float64) string {
	if x2-x1 < 2*minBend && y1 != y2 {
		if y2 > y1 {
			y1, y2 = y1+barHeight/2, y2-barHeight/2
		} else {
			y1, y2 = y1-barHeight/2, y2+barHeight/2
		}
		middle := (y1 + y2) / 2
		return fmt.Sprintf("M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f", x1, y1, x1, middle, x2, middle, x2, y2)
	}
	bend := max((x2-x1)/2, minBend)
	return fmt.Sprintf("M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f", x1, y1, x1+bend, y1, x2-bend, y2, x2, y2)
}

// broken is a place where the flow broke.
type broken struct {
	finding  *flow.Finding
	from, to int // Spans of the picture.
	place    int // Among the sentences above one bar.
}

// edge returns the hop at which the flow broke.
func (b broken) edge(g *flow.Graph) flow.Edge { return g.BrokenEdge(b.from, b.to, b.finding.Count) }

// findGaps finds the findings that say between which spans of the picture it broke.
func (l *layout) findGaps(spans []int, findings []flow.Finding) []broken {
	number := make(map[int]int, len(spans))
	for n, i := range spans {
		number[i] = n
	}
	var gaps []broken
	for i := range findings {
		f := &findings[i]
		from, ok1 := number[f.From]
		to, ok2 := number[f.To]
		if f.Level == flow.Info || !ok1 || !ok2 || f.Level < flow.Violation && !l.g.Apart(from, to) {
			continue
		}
		a, b := l.of[from], l.of[to]
		if a == nil || b == nil || a == b {
			continue
		}
		gaps = append(gaps, broken{f, from, to, len(b.gaps)})
		b.gaps = append(b.gaps, f)
		if len(gaps) == maxGaps {
			break
		}
	}
	return gaps
}

// drawGap draws where the flow broke, with the sentence that says so above the bar
// that should have continued it.
func (l *layout) drawGap(b broken) {
	from, to := l.of[b.from], l.of[b.to]
	sent, received := &l.g.Spans()[b.from], &l.g.Spans()[b.to]
	x1, x2 := l.x(earlier(sent.Last(), received.Start)), l.x(received.Start)
	if flow.Skewed(sent, received) {
		x1 = l.x(sent.Start)
	}
	text := b.finding.ID + ": " + flow.Clip(b.finding.What, 120)
	if b.finding.Count > 1 {
		text += " ×" + flow.Count(b.finding.Count)
	}
	y := to.y - gapHeight*float64(len(to.gaps)-b.place)
	l.p.Gaps = append(l.p.Gaps, gap{
		Path: curve(x1, from.y+rowHeight/2, x2, to.y+rowHeight/2),
		X:    max(min(x2, l.p.Right-7.7*float64(utf8.RuneCountInString(text))), 14), Y: y + 13,
		Text: text, Title: b.finding.What,
	})
}

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
	Targets  []string   `json:"targets,omitempty"` // What the first span links to.
	Path     string     `json:"path"`
	Golden   string     `json:"golden"`
	Items    [][]string `json:"attributes,omitempty"` // Of the first span.
}

const (
	maxName     = 120 // Characters of a name.
	maxItems    = 40
	maxItemText = 400
	maxTargets  = 8
	// maxDetails is how many bytes of attributes and links the page has in all.
	maxDetails = 1 << 20
)

func (l *layout) detail(r *row) *detail {
	first := &l.g.Spans()[r.group.Spans[0]]
	took := durations(l.g, r.group.Spans)
	d := &detail{
		Service: flow.Clip(first.Service, maxName), Name: flow.Clip(r.group.Name, maxName), Kind: strings.ToUpper(first.Kind.String()),
		Channel: flow.Clip(first.Channel(), maxName), Count: len(r.group.Spans), TraceID: first.ID.Trace.String(), SpanID: first.ID.Span.String(),
		Path:     flow.Clip(l.g.Path(r.group.Spans[0]), maxItemText),
		Shortest: flow.Duration(took[0]), Median: flow.Duration(took.Quantile(0.5)),
		P95: flow.Duration(took.Quantile(0.95)), Longest: flow.Duration(took[len(took)-1]),
	}
	for _, i := range r.group.Spans {
		s := &l.g.Spans()[i]
		d.Links += len(s.Links)
		if failure := s.Failure(); failure != "" {
			d.Errors++
			d.Error = flow.Clip(failure, maxName)
			if s.Message != "" {
				d.Error += ": " + flow.Clip(s.Message, maxItemText)
			}
		}
	}
	d.Golden = d.golden()
	l.describe(d, r.group.Spans[0])
	return d
}

// golden returns the line of the span in a golden file of flowtest, without its
// attributes.
func (d *detail) golden() string {
	line := strings.TrimSpace(d.Service+" "+d.Name) + " " + d.Kind
	if d.Errors > 0 {
		line += " ERROR"
	}
	return line
}

// describe adds the attributes and links of span i, as long as there is room.
func (l *layout) describe(d *detail, i int) {
	for _, kv := range l.g.Spans()[i].Attributes[:min(len(l.g.Spans()[i].Attributes), maxItems)] {
		item := []string{flow.Clip(string(kv.Key), maxItemText), flow.Clip(kv.Value.String(), maxItemText)}
		if l.v.room -= len(item[0]) + len(item[1]); l.v.room < 0 {
			return
		}
		d.Items = append(d.Items, item)
	}
	for _, target := range l.g.Links(i)[:min(len(l.g.Links(i)), maxTargets)] {
		path := flow.Clip(l.g.Path(target), maxItemText)
		if l.v.room -= len(path); l.v.room < 0 {
			return
		}
		d.Targets = append(d.Targets, path)
	}
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
func durations(g *flow.Graph, spans []int) flow.Durations {
	took := make(flow.Durations, len(spans))
	for n, i := range spans {
		s := &g.Spans()[i]
		took[n] = s.Last().Sub(s.Start)
	}
	slices.Sort(took)
	return took
}

// letters numbers pictures: a, b, c ...
func letters(n int) string { return string(rune('a' + n)) }
