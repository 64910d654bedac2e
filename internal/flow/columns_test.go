// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-go/waybill/internal/flow"
)

func TestColumns(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"":               0,
		"orders":         6,
		"Aufträge":       8,
		"Auftra\u0308ge": 8, // With a combining mark.
		"注文サービス":         12,
		"ｶﾀｶﾅ":           4, // Half-width.
		"ＯＫ":             4,
		"주문":             4,
		"🎉":              2,
		"└─ ✗ ⇢ …":       8,
	} {
		if got := flow.Columns(text); got != want {
			t.Errorf("%q takes %d columns, want %d", text, got, want)
		}
	}
}

func TestDiagnosis_TreeInWideNames(t *testing.T) {
	t.Parallel()
	spans := []flow.Span{
		span(1, 1, 0, "サービス SERVER 注文を受け付ける", takes(time.Second)),
		span(1, 2, 1, "サービス INTERNAL "+strings.Repeat("長", 80)),
	}
	g := flow.New(spans)
	d := g.Diagnose(flow.Expectation{})
	for _, width := range []int{20, 61, 100} {
		for line := range strings.Lines(d.TreeIn(g, width)) {
			if got := flow.Columns(strings.TrimSuffix(line, "\n")); got > width {
				t.Errorf("a line takes %d columns of %d: %s", got, width, line)
			}
		}
	}
}
