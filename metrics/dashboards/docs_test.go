// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards_test

import (
	"os"
	"strings"
	"testing"
)

// TestDocs checks that the page about the boards says of each panel what it needs.
func TestDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/boards.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.NewReplacer(" | ", " · ", " |\n", " · ", "\n| ", " · ").Replace(string(text))
	for name, b := range read(t) {
		for _, want := range []string{"`" + name + ".json`", "`" + b.UID + "`", b.Title[len("Waybill / "):]} {
			if !strings.Contains(page, want) {
				t.Errorf("the page does not name %s", want)
			}
		}
		for _, p := range b.panels() {
			if !strings.Contains(page, " · "+p.Title+" · ") {
				t.Errorf("%s: the page does not say what %q needs", name, p.Title)
			}
		}
	}
}
