// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	_ "embed" // The style and the script.
	"io"
)

// The parts of the live page, beside those of the page of a flow.
var (
	//go:embed live.css
	liveStyle markup
	//go:embed live.js
	liveScript markup
)

// Live is what the live page shows before there are spans.
type Live struct {
	Endpoints []string // The variables by which an SDK exports to it.
	States    []string // Of flows, from the worst.
}

// WriteLive writes the page that shows a list of flows, and the one that is chosen. It
// needs the server of waybill view.
func WriteLive(w io.Writer, l Live) error {
	return write(w, func(out writer) { out.live(l) })
}

// LivePolicy is the Content-Security-Policy of the live page: its own style and script,
// and requests to its own server.
func LivePolicy() string {
	return "default-src 'none'; style-src " + hashOf(style+liveStyle) + "; script-src " + hashOf(script+liveScript) +
		"; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// WriteFlow writes r as the part of the live page that shows the chosen flow.
func WriteFlow(w io.Writer, r Report) error {
	return write(w, func(out writer) { out.fragment(newView(r)) })
}

func (w writer) live(l Live) {
	w.printf(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>waybill view</title>
<style>%s</style>
</head>
<body class="live">
<a class="skip" href="#flow">Skip to the flow</a>
<div class="side">
<header>
<p class="brand"><strong>waybill</strong> <span id="link" class="link off" role="status">connecting</span></p>
<p id="totals" class="totals"></p>
<div class="tools" role="toolbar" aria-label="Spans">
<button type="button" id="pause" aria-pressed="false">Pause</button>
<a class="button" id="save" href="/save" download>Save</a>
<button type="button" id="load">Load</button><input type="file" id="file" aria-label="A recording to load" hidden>
<button type="button" id="clear">Clear</button>
</div>
<p id="said" class="said" role="status"></p>
</header>
<form id="filter" role="search" aria-label="Flows" autocomplete="off">
<input type="search" name="text" aria-label="Filter by text" placeholder="span, service, topic, trace id">
<div class="pair"><select name="service" aria-label="Filter by service"><option value="">all services</option></select>
<select name="destination" aria-label="Filter by destination"><option value="">all destinations</option></select></div>
<div class="states" role="group" aria-label="Filter by state">`, style+liveStyle)
	for _, state := range l.States {
		w.printf(`<button type="button" class="state %s" data-state="%s" aria-pressed="false">%s <span class="number">0</span></button>`, state, state, state)
	}
	w.printf(`</div>
</form>
<nav aria-label="Flows">
<ol id="list"></ol>
<p id="more" class="more"></p>
</nav>
</div>
<main id="flow" tabindex="-1">
<section class="waiting">
<h1>Waiting for spans</h1>
<p>Set this in the environment of a program that has an OpenTelemetry SDK, and start it:</p>
<pre tabindex="0">`)
	for _, endpoint := range l.Endpoints {
		w.printf("%s\n", endpoint)
	}
	w.printf(`</pre>
<p>An SDK exports a few seconds after a span has ended. Or load a recording, such as the JSON lines of a collector's file exporter.</p>
</section>
</main>
<script>%s</script>
</body>
</html>
`, script+liveScript)
}
