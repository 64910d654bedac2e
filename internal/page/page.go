// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package page draws a recording as one HTML page that needs nothing else: it opens
// from a disk, makes no request, and shows the flow without JavaScript too.
package page

import (
	"crypto/sha256"
	_ "embed" // The style and the script.
	"encoding/base64"
	"io"

	"github.com/waybill-go/waybill/internal/flow"
)

// The parts of the page.
var (
	//go:embed page.css
	style markup
	//go:embed page.js
	script markup
)

// Report is what a page shows.
type Report struct {
	Title     string // Of the page; the default is "waybill".
	Note      string // What a reader must know of the recording; may be empty.
	Graph     *flow.Graph
	Diagnosis *flow.Diagnosis
}

// Write writes r as a page.
func Write(w io.Writer, r Report) error {
	return write(w, func(out writer) { out.document(newView(r)) })
}

// hashOf returns the source of a Content-Security-Policy that allows text.
// https://www.w3.org/TR/CSP3/#grammardef-hash-source
func hashOf(text markup) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// policy allows the page its own style and script, and no request to anywhere.
func policy() string {
	return "default-src 'none'; style-src " + hashOf(style) + "; script-src " + hashOf(script) +
		"; base-uri 'none'; form-action 'none'"
}
