// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	_ "embed" // The style, the script and the template.
	"html/template"
	"io"
)

// The parts of the live page, beside those of the page of a flow.
var (
	//go:embed live.gohtml
	liveTemplate string
	//go:embed live.css
	liveStyle string
	//go:embed live.js
	liveScript string
)

var live = template.Must(template.New("live").Parse(liveTemplate))

// Live is what the live page shows before there are spans.
type Live struct {
	Endpoints []string // The variables by which an SDK exports to it.
	States    []string // Of flows, from the worst.
}

// WriteLive writes the page that shows a list of flows, and the one that is chosen. It
// needs the server of waybill view.
func WriteLive(w io.Writer, l Live) error {
	return live.Execute(w, struct {
		Live

		Style  template.CSS
		Script template.JS
	}{l, template.CSS(style + liveStyle), template.JS(script + liveScript)}) //nolint:gosec // They are part of the program.
}

// LivePolicy is the Content-Security-Policy of the live page: its own style and script,
// and requests to its own server.
func LivePolicy() string {
	return "default-src 'none'; style-src " + hashOf(style+liveStyle) + "; script-src " + hashOf(script+liveScript) +
		"; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// WriteFlow writes r as the part of the live page that shows the chosen flow.
func WriteFlow(w io.Writer, r Report) error {
	return page.ExecuteTemplate(w, "fragment", newView(r))
}
