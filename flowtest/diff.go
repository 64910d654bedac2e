// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"slices"
	"strings"
)

const (
	// diffContext is how many equal lines are shown around a difference.
	diffContext = 3
	// maxDiff bounds the lines of one side times those of the other that are
	// compared line by line.
	maxDiff = 1 << 22
)

// diff returns the lines that differ, of want marked - and of got marked +, or ""
// if they are equal.
func diff(want, got string) string {
	if want == got {
		return ""
	}
	a, b := lines(want), lines(got)
	head := common(a, b, func(s []string, i int) string { return s[i] })
	a, b, before := a[head:], b[head:], a[:head]
	tail := common(a, b, func(s []string, i int) string { return s[len(s)-1-i] })
	a, b, after := a[:len(a)-tail], b[:len(b)-tail], a[len(a)-tail:]

	var out strings.Builder
	write := func(mark string, lines []string) {
		for _, line := range lines {
			out.WriteString(strings.TrimRight(mark+line, " ") + "\n")
		}
	}
	write("  ", before[max(0, len(before)-diffContext):])
	if len(a)*len(b) > maxDiff {
		write("- ", a)
		write("+ ", b)
	} else {
		change(a, b, write)
	}
	write("  ", after[:min(len(after), diffContext)])
	return out.String()
}

func lines(s string) []string { return strings.Split(strings.TrimSuffix(s, "\n"), "\n") }

// common counts the lines that a and b start with, as at sees them.
func common(a, b []string, at func(s []string, i int) string) int {
	n := 0
	for n < len(a) && n < len(b) && at(a, n) == at(b, n) {
		n++
	}
	return n
}

// change writes a turned into b with the fewest lines changed, by the length
// of the longest common subsequence of the lines that are left.
func change(a, b []string, write func(mark string, lines []string)) {
	longest := make([][]int, len(a)+1)
	for i := range longest {
		longest[i] = make([]int, len(b)+1)
	}
	for i := range slices.Backward(a) {
		for j := range slices.Backward(b) {
			if a[i] == b[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			write("  ", a[i:i+1])
			i, j = i+1, j+1
		case longest[i+1][j] >= longest[i][j+1]:
			write("- ", a[i:i+1])
			i++
		default:
			write("+ ", b[j:j+1])
			j++
		}
	}
	write("- ", a[i:])
	write("+ ", b[j:])
}
