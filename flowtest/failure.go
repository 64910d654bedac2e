// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/internal/flow"
)

// What a failure prints.
const (
	printedLines    = 200 // Of the tree.
	printedFindings = 10
	maxLabel        = 200 // Characters of a name.
)

// errorf fails the test, and prints the flow unless it was printed before.
func (r *Recording) errorf(format string, args ...any) {
	r.t.Helper()
	r.t.Errorf("flowtest: %s", r.illustrated(r.flows(), fmt.Sprintf(format, args...)))
}

// fatalf is errorf for a failure that stops the test.
func (r *Recording) fatalf(format string, args ...any) {
	r.t.Helper()
	r.fatal(r.flows(), fmt.Sprintf(format, args...))
}

// flows returns what is wrong with the recording, which may hold several flows.
func (r *Recording) flows() *flow.Diagnosis { return r.diagnose(flow.Expectation{}, flow.Warning) }

// fatal stops the test, and prints the flow and what d says is wrong with it unless
// the flow was printed before.
func (r *Recording) fatal(d *flow.Diagnosis, text string) {
	r.t.Helper()
	r.t.Fatalf("flowtest: %s", r.illustrated(d, text))
}

// illustrated returns text, followed on the first call by the flow, what is wrong with
// it, and where its spans are kept.
func (r *Recording) illustrated(d *flow.Diagnosis, text string) string {
	r.t.Helper()
	parts := []string{text}
	for _, note := range r.notes {
		parts[0] += "\n  not received: " + note
	}
	if !r.printed && len(r.stubs) > 0 {
		r.printed = true
		parts = append(parts, d.Tree(r.graph, printedLines))
		parts = append(parts, r.findings(d)...)
		parts = append(parts, r.kept())
	}
	for n := range parts {
		parts[n] = strings.TrimSuffix(parts[n], "\n")
	}
	return strings.Join(parts, "\n\n")
}

// findings describes the findings of d, and where in the code the spans were started that
// they are about.
func (r *Recording) findings(d *flow.Diagnosis) []string {
	var texts []string
	shown := d.Findings[:min(len(d.Findings), printedFindings)]
	for i := range shown {
		texts = append(texts, shown[i].String()+r.places(&shown[i]))
	}
	if left := len(d.Findings) - len(shown) + d.Omitted; left > 0 {
		texts = append(texts, "… and "+flow.Plural(left, "more finding"))
	}
	return texts
}

// places returns where the spans were started between which the flow broke, or that f is
// about.
func (r *Recording) places(f *flow.Finding) string {
	spans := []int{f.From, f.To}
	if f.To < 0 && len(f.Spans) > 0 {
		spans[1] = f.Spans[0]
	}
	var b strings.Builder
	for _, i := range slices.Compact(spans) {
		if i < 0 {
			continue
		}
		s := &r.graph.Spans()[i]
		if place := callsite(r.started[s.ID]); place != "" {
			fmt.Fprintf(&b, "\n    %s started %q.", place, flow.Clip(s.Label(), maxLabel))
		}
	}
	return b.String()
}
