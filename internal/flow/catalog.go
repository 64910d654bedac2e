// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

// Rule is a kind of finding.
type Rule struct {
	ID    string
	Title string
}

// Rules returns all kinds of findings.
func Rules() []Rule {
	return []Rule{
		{"P01", "a consumer starts a new trace"},
		{"P02", "one message in two traces"},
		{"P03", "a local parent is missing"},
		{"P04", "a remote parent is missing"},
		{"P05", "a trace id was changed on the way"},
		{"P06", "injected without a span"},
		{"P07", "no propagator is set"},
		{"P08", "a malformed context"},
		{"P09", "a context in another format"},
		{"P10", "a context was extracted and not used"},
		{"P11", "a message with the context of an earlier hop"},
		{"P12", "a batch that shows one of its messages"},
		{"P13", "many messages with one context"},
		{"P14", "a context of another message"},
		{"P15", "the sampling decision was lost"},
		{"P16", "baggage was lost"},
		{"P17", "a child of a span that had ended"},
		{"P18", "clocks that differ"},
		{"P19", "a context was lost inside of a process"},
		{"P20", "a span that never ended"},
		{"P21", "a message that nobody was seen to receive"},
		{"P22", "ids or names that are not unique"},
		{"P23", "instrumented twice"},
		{"P24", "a parent of another message"},
	}
}

// Page returns the address of the page that explains the kind of findings with an ID:
// the code that causes it, what is found, and the code that does not.
func Page(id string) string {
	return "https://github.com/waybill-go/waybill/blob/main/docs/diagnosis/" + id + ".md"
}

// Title returns the title of the kind of findings with an ID, or the empty string.
func Title(id string) string {
	for _, r := range Rules() {
		if r.ID == id {
			return r.Title
		}
	}
	return ""
}
