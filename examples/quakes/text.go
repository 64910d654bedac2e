// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/waybill-go/waybill/internal/flow"
)

// layOut returns rows as a table. The first two columns are aligned to the left, the
// others to the right.
func layOut(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < 2 {
				line.WriteString(cell + pad + "  ")
			} else {
				line.WriteString(pad + cell + "  ")
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// enumerate joins words, as in "a, b and c".
func enumerate(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

func sumOf(counts map[string]int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}

// count formats n, or returns a dash if n is 0.
func count(n int) string {
	if n == 0 {
		return "–"
	}
	return flow.Count(n)
}

// at formats the nth of durations to two digits, or returns a dash if there is none.
func at(durations []time.Duration, n int) string {
	if n >= len(durations) {
		return "–"
	}
	d := durations[n]
	for unit := time.Nanosecond; ; unit *= 10 {
		if d < 100*unit {
			return d.Round(unit).String()
		}
	}
}

// plural returns n and the name of the thing that it counts.
func plural(n int, thing string) string {
	switch {
	case n == 1:
		return "1 " + thing
	case strings.HasSuffix(thing, "ch"), strings.HasSuffix(thing, "ss"):
		return flow.Count(n) + " " + thing + "es"
	default:
		return flow.Count(n) + " " + thing + "s"
	}
}

// describe returns findings as text.
func describe(findings []flow.Finding) string {
	var b strings.Builder
	for i := range findings {
		b.WriteString(findings[i].String() + "\n")
	}
	return b.String()
}
