// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/metrics/rules"
)

// page is what the run of TestOperations found, for people.
var page = filepath.Join("..", "..", "..", "docs", "alerts-tested.md")

func TestAlertsTested_ListsEachAlert(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if cell, ok := strings.CutPrefix(line, "| ["); ok {
			name, _, _ := strings.Cut(cell, "]")
			got = append(got, name)
		}
	}
	want := rules.Alerts()
	slices.Sort(want)
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("%s lists the alerts\n%q\nwant\n%q", page, got, want)
	}
}
