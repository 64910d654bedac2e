// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package page

// The parts of the page, from its top. They have the order and the headings of a document,
// so that a screen reader can go through them.

func (w writer) document(v *view) {
	w.printf(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="%s">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>%s</title>
<style>%s</style>
</head>
<body>
<a class="skip" href="#findings">Skip to the findings</a>
<header>
`, policy(), v.Title, style)
	w.verdict(v)
	w.printf("\n</header>\n<main>\n")
	w.sections(v)
	w.printf(`
</main>
<footer>Made by waybill from recorded spans. This page makes no request and needs no server.</footer>
`)
	w.data("data", v.Details)
	w.printf("\n<script>%s</script>\n</body>\n</html>\n", script)
}

// fragment is what the live page shows of a flow.
func (w writer) fragment(v *view) {
	w.printf(`<div class="verdictline">`)
	w.verdict(v)
	w.printf("</div>\n")
	w.sections(v)
	w.printf("\n")
	w.data("data", v.Details)
}

func (w writer) verdict(v *view) {
	w.printf(`<h1><span class="verdict %s">%s</span> <span>%s%s</span></h1>`,
		v.Verdict, v.Verdict, v.Summary, when(v.Nothing, "; nothing is wrong"))
}

func (w writer) sections(v *view) {
	w.more(v.Note)
	w.findings(v)
	w.flows(v)
	w.printf(`
<aside id="details" hidden aria-live="polite" aria-labelledby="details-title"><button type="button" id="close" aria-label="Close the details">×</button><h2 id="details-title"></h2><div id="details-body"></div></aside>`)
	w.stages(v.Stages)
	w.hops(v.Hops)
	w.spans(v)
}

// more writes a sentence about what is not shown, unless it is empty.
func (w writer) more(text string) {
	if text != "" {
		w.printf(`<p class="more">%s</p>`, text)
	}
}

func (w writer) findings(v *view) {
	w.printf(`
<section id="findings" aria-labelledby="findings-title">
<h2 id="findings-title">Findings</h2>`)
	if len(v.Findings) == 0 {
		w.printf("\n<p>None.</p>")
	} else {
		w.printf("\n")
		w.list(v.Findings)
	}
	if len(v.Hidden) > 0 {
		w.printf("\n<details><summary>%s more</summary>\n", len(v.Hidden))
		w.list(v.Hidden)
		w.printf("</details>")
	}
	w.more(v.MoreFindings)
	w.printf("\n</section>")
}

func (w writer) list(findings []finding) {
	w.printf(`<ol class="findings">`)
	for i := range findings {
		w.finding(&findings[i])
	}
	w.printf("\n</ol>")
}

func (w writer) finding(f *finding) {
	w.printf(`
<li class="finding %s">
<p class="what"><span class="tag %s">%s %s</span> <strong>%s</strong>`, f.Level, f.Level, f.ID, f.Level, f.What)
	if f.Count != "" {
		w.printf(` <span class="count">%s</span>`, f.Count)
	}
	w.printf(`</p>
<dl><dt>Why</dt><dd>%s <span class="sure">This is %s.</span></dd><dt>Fix</dt><dd>%s <span class="sure">More: %s</span></dd></dl>
</li>`, f.Why, f.Sure, f.Fix, f.Page)
}

func (w writer) flows(v *view) {
	w.printf(`
<section aria-labelledby="picture-title">
<div class="bar">
<h2 id="picture-title">The flow</h2>
<label class="search" hidden>Search <input id="search" type="search" autocomplete="off" placeholder="service, span, topic"></label>
</div>
<p class="hint">A row is a span, or several that look the same (×). Darker where more of them were active; hatched while in a queue; a solid line is a parent, a dashed one a link.</p>
<p class="hint" id="picture-hint" hidden>Turn the wheel over the bars, or press + and −, to zoom; drag, or press ← and →, to move; 0 shows all. Click a row, or press Enter on it, for its details.</p>`)
	if len(v.Flows) == 0 {
		w.printf("\n<p>No spans were recorded.</p>")
	}
	for _, flow := range v.Flows {
		w.printf("\n<figure>\n<figcaption><span class=\"verdict small %s\">%s</span> %s</figcaption>", flow.Verdict, flow.Verdict, flow.Heading)
		if flow.Time != nil {
			w.picture(flow.Time)
		}
		if flow.Path != nil {
			w.path(flow.Path)
		}
		w.printf("\n</figure>")
	}
	w.more(v.MoreFlows)
	w.printf("\n</section>")
}

func (w writer) stages(stages []stage) {
	if len(stages) == 0 {
		return
	}
	w.printf(`
<section aria-labelledby="stages-title">
<h2 id="stages-title">Stages</h2>
<div class="scroll" tabindex="0"><table>
<thead><tr><th scope="col">service</th><th scope="col">stage</th><th scope="col" class="n">runs</th><th scope="col" class="n">rows in</th><th scope="col" class="n">rows out</th><th scope="col" class="n">rejected</th><th scope="col" class="n">p50</th><th scope="col" class="n">p95</th><th scope="col" class="n">in the queue p50</th><th scope="col" class="n">failed</th></tr></thead>
<tbody>`)
	for _, s := range stages {
		w.printf(`<tr><td>%s</td><th scope="row">%s</th>`, s.Service, s.Name)
		w.numbers(s.Runs, s.Read, s.Wrote, s.Rejected, s.Median, s.P95, s.Queued, s.Failed)
		w.printf("</tr>")
	}
	w.printf("</tbody>\n</table></div>\n</section>")
}

func (w writer) hops(hops []edge) {
	if len(hops) == 0 {
		return
	}
	w.printf(`
<section aria-labelledby="hops-title">
<h2 id="hops-title">Hops</h2>
<div class="scroll" tabindex="0"><table>
<thead><tr><th scope="col">from</th><th scope="col">over</th><th scope="col">to</th><th scope="col" class="n">times</th><th scope="col">joined by</th><th scope="col" class="n">hop p50</th><th scope="col" class="n">p95</th><th scope="col" class="n">in the queue p50</th><th scope="col" class="n">p95</th><th scope="col" class="n">errors</th><th scope="col">note</th></tr></thead>
<tbody>`)
	for _, h := range hops {
		w.printf(`<tr><td>%s</td><td>%s</td><td>%s</td><td class="n">%s</td><td>%s</td>`, h.From, h.Over, h.To, h.Count, h.By)
		w.numbers(h.Median, h.P95, h.Queued, h.QueuedP95, h.Errors)
		w.printf("<td>")
		if h.Skew != "" {
			w.printf(`<span class="clock">⚠ %s</span>`, h.Skew)
		}
		w.printf("</td></tr>")
	}
	w.printf("</tbody>\n</table></div>\n</section>")
}

// spans writes what the pictures show for those who do not see them, and the tree for
// those without JavaScript.
func (w writer) spans(v *view) {
	w.printf(`
<section aria-labelledby="spans-title">
<h2 id="spans-title">Spans</h2>
<details><summary>The spans of the picture as a table</summary>
<div class="scroll" tabindex="0"><table>
<thead><tr><th scope="col">service</th><th scope="col">span</th><th scope="col">kind</th><th scope="col" class="n">count</th><th scope="col" class="n">shortest</th><th scope="col" class="n">p50</th><th scope="col" class="n">p95</th><th scope="col" class="n">longest</th><th scope="col" class="n">errors</th></tr></thead>
<tbody>`)
	for _, d := range v.Rows {
		w.printf(`<tr><td>%s</td><th scope="row">%s</th><td>%s</td>`, d.Service, d.Name, d.Kind)
		w.numbers(countOrDash(d.Count), d.Shortest, d.Median, d.P95, d.Longest, countOrDash(d.Errors))
		w.printf("</tr>")
	}
	w.printf(`</tbody>
</table></div></details>
<details id="text" open><summary>The flow as text</summary>
<pre tabindex="0">%s</pre></details>
</section>`, v.Tree)
}

// numbers writes cells of a row that are aligned as numbers.
func (w writer) numbers(cells ...string) {
	for _, text := range cells {
		w.printf(`<td class="n">%s</td>`, text)
	}
}
