// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package series_test

import (
	"strings"
	"testing"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

func TestIsName(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		want bool
	}{
		{name: "etl", want: true},
		{name: "_etl9", want: true},
		{name: "", want: false},
		{name: "9etl", want: false},
		{name: "etl:x", want: false},
		{name: "etl-x", want: false},
		{name: "ätl", want: false},
	}
	for _, test := range tests {
		if got := series.IsName(test.name); got != test.want {
			t.Errorf("IsName(%q) = %t, want %t", test.name, got, test.want)
		}
	}
}

func TestBoardUID(t *testing.T) {
	t.Parallel()
	if got, want := series.BoardUID(series.BoardFlow, series.DefaultNamespace), "waybill-flow"; got != want {
		t.Errorf("of the default namespace: got %q, want %q", got, want)
	}
	if got, want := series.BoardUID(series.BoardFlow, "flow"), "waybill-flow-flow"; got != want {
		t.Errorf("of another namespace: got %q, want %q", got, want)
	}
	a := series.BoardUID(series.BoardQuality, strings.Repeat("a", 200))
	b := series.BoardUID(series.BoardQuality, strings.Repeat("a", 201))
	if len(a) > 40 || a == b {
		t.Errorf("of long namespaces: got %q and %q, want two of at most 40 bytes", a, b)
	}
}
