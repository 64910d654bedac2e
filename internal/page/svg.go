// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package page

// picture writes a flow over time. The script moves what is in the group "plot".
func (w writer) picture(p *picture) {
	w.printf(`
<div class="scroll" tabindex="0">
<svg class="time%s" id="%s" data-left="%s" data-right="%s" data-ns="%s" viewBox="0 0 %s %s" role="group" aria-label="Time of the flow; the table below has the same figures" aria-describedby="picture-hint">
<defs>
<pattern id="%s-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch" d="M0 0V6"/></pattern>
<clipPath id="%s-names"><rect x="0" y="0" width="%s" height="%s"/></clipPath>
<clipPath id="%s-clip"><rect x="%s" y="0" width="%s" height="%s"/></clipPath>
</defs>`,
		when(p.isMany(), " many"), p.ID, p.Left, p.Right, p.Nanoseconds, p.Width, p.Height,
		p.ID,
		p.ID, p.namesWidth(), p.Height,
		p.ID, p.Left, p.plotWidth(), p.Height)
	w.lanes(p)
	w.plot(p)
	w.labels(p)
	w.printf("\n</svg>\n</div>")
	if p.More != "" {
		w.printf("\n")
		w.more(p.More)
	}
}

func (w writer) lanes(p *picture) {
	for _, l := range p.Lanes {
		w.printf(`
<g class="lane c%s"><rect class="band" x="0" y="%s" width="100%%" height="%s" rx="6"/><text class="service" x="10" y="%s" dy="18">%s<title>%s</title></text></g>`,
			l.Color, l.Y, l.Height, l.Y, l.Short, l.Name)
	}
	w.printf("\n<g class=\"axis\">")
	for _, t := range p.Ticks {
		w.printf(`<g class="tick"><path d="M%s 22V%s"/><text x="%s" y="16" text-anchor="middle">%s</text></g>`, t.X, p.Height, t.X, t.Text)
	}
	w.printf("</g>")
}

func (w writer) plot(p *picture) {
	w.printf("\n<g clip-path=\"url(#%s-clip)\"><g class=\"plot\">", p.ID)
	for _, q := range p.Queues {
		w.printf("\n"+`<rect class="queue" x="%s" y="%s" width="%s" height="%s" fill="url(#%s-hatch)"><title>%s</title></rect>`,
			q.X, q.Y, q.Width, q.Height, p.ID, q.Title)
	}
	for _, h := range p.Hops {
		w.printf("\n"+`<path class="hop%s%s" d="%s"><title>%s</title></path>`, when(h.Link, " link"), when(h.Skew, " skew"), h.Path, h.Title)
	}
	for i := range p.Bars {
		w.bar(&p.Bars[i])
	}
	for _, g := range p.Gaps {
		w.printf("\n"+`<path class="gap" d="%s"><title>%s</title></path>`, g.Path, g.Title)
	}
	w.printf("\n</g></g>")
}

func (w writer) bar(b *bar) {
	w.printf("\n"+`<g class="span c%s%s" data-row="%s"><rect class="spread%s" x="%s" y="%s" width="%s" height="14" rx="3" transform="translate(0 5)"/>`,
		b.Color, when(b.Errors != "", " failed"), b.ID, when(len(b.Cells) > 0, " folded"), b.X, b.Y, b.Width)
	for _, c := range b.Cells {
		w.printf(`<rect class="cell" x="%s" y="%s" width="%s" height="14" opacity="%s" transform="translate(0 5)"/>`, c.X, b.Y, c.Width, c.Opacity)
	}
	if b.Errors != "" {
		w.printf(`<rect class="error" x="%s" y="%s" width="4" height="14" transform="translate(0 5)"/>`, b.endX(), b.Y)
	}
	w.printf("</g>")
}

// labels writes what stays in place while the script moves the plot: the names of the
// rows, and what is said of the gaps.
func (w writer) labels(p *picture) {
	for i := range p.Bars {
		b := &p.Bars[i]
		w.printf("\n"+`<g class="row" id="%s" role="button" aria-label="%s"><title>%s</title><rect class="hit" x="0" y="%s" width="100%%" height="24"/><text class="name" x="%s" y="%s" dy="17" clip-path="url(#%s-names)">%s`,
			b.ID, b.label(), b.Title, b.Y, b.LabelX, b.Y, p.ID, b.short())
		if b.Count != "" {
			w.printf(` <tspan class="count">%s</tspan>`, b.Count)
		}
		if b.Errors != "" {
			w.printf(` <tspan class="bad">✗ %s</tspan>`, b.Errors)
		}
		w.printf("%s</text></g>", when(b.Skew, ` <tspan class="clock">⚠</tspan>`))
	}
	for _, g := range p.Gaps {
		w.printf("\n"+`<text class="gaptext" x="%s" y="%s">%s<title>%s</title></text>`, g.X, g.Y, g.Text, g.Title)
	}
}

// path writes a flow without time: services and carriers as boxes.
func (w writer) path(p *path) {
	w.printf(`
<h3>Its path</h3>
<div class="scroll" tabindex="0">
<svg class="path%s" viewBox="0 0 %s %s" width="%s" height="%s" role="img" aria-label="The path of the flow; the table of hops has the same figures">`,
		when(p.Width > 900, " wide"), p.Width, p.Height, p.Width, p.Height)
	for _, l := range p.Lines {
		w.printf("\n"+`<path class="hop%s%s" d="%s" stroke-width="%s"/><text class="times" x="%s" y="%s" text-anchor="middle">%s</text>`,
			when(l.Link, " link"), when(l.Broken, " gap"), l.Path, l.Width, l.X, l.Y, l.Count)
	}
	for _, b := range p.Boxes {
		radius := 6
		if b.Carrier {
			radius = 20
		}
		w.printf("\n"+`<g class="box%s"><rect x="%s" y="%s" width="150" height="40" rx="%s"/><text x="%s" y="%s" dx="75" dy="25" text-anchor="middle">%s<title>%s</title></text></g>`,
			when(b.Carrier, " carrier"), b.X, b.Y, radius, b.X, b.Y, b.short(), b.Name)
	}
	w.printf("\n</svg>\n</div>")
}
