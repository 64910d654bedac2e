// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"fmt"
	"strings"

	"github.com/waybill-go/waybill/internal/flow"
)

// What a failure prints.
const (
	printedLines    = 200 // Of the tree.
	printedFindings = 10
)

// errorf fails the test, and prints the flow unless it was printed before.
func (r *Recording) errorf(format string, args ...any) {
	r.t.Helper()
	r.t.Errorf("flowtest: %s", r.illustrated(r.graph.Diagnose(flow.Expectation{}), fmt.Sprintf(format, args...)))
}

// fatalf is errorf for a failure that stops the test.
func (r *Recording) fatalf(format string, args ...any) {
	r.t.Helper()
	r.fatal(r.graph.Diagnose(flow.Expectation{}), fmt.Sprintf(format, args...))
}

// fatal stops the test, and prints the flow and what d says is wrong with it unless
// the flow was printed before.
func (r *Recording) fatal(d *flow.Diagnosis, text string) {
	r.t.Helper()
	r.t.Fatalf("flowtest: %s", r.illustrated(d, text))
}

// illustrated returns text, followed on the first call by the flow and what is wrong
// with it.
func (r *Recording) illustrated(d *flow.Diagnosis, text string) string {
	parts := []string{text}
	if !r.printed && len(r.stubs) > 0 {
		r.printed = true
		parts = append(parts, d.Tree(r.graph, printedLines))
		parts = append(parts, findings(d, flow.Warning)...)
	}
	for n := range parts {
		parts[n] = strings.TrimSuffix(parts[n], "\n")
	}
	return strings.Join(parts, "\n\n")
}

// findings describes the findings of d that have a level or a worse one.
func findings(d *flow.Diagnosis, least flow.Level) []string {
	var texts []string
	left := d.Omitted
	for i := range d.Findings {
		switch {
		case d.Findings[i].Level < least:
		case len(texts) == printedFindings:
			left++
		default:
			texts = append(texts, d.Findings[i].String())
		}
	}
	if left > 0 {
		texts = append(texts, "… and "+flow.Plural(left, "more finding"))
	}
	return texts
}
