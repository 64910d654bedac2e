// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		text  string
		width int
		want  string
	}{
		{name: "no limit", text: "some text that is longer than forty columns are", want: "some text that is longer than forty columns are"},
		{name: "at a space", text: "some text that is longer than forty columns are", width: 40, want: "some text that is longer than forty\n  columns are"},
		{name: "of that width", text: "some text that is exactly forty columns!", width: 40, want: "some text that is exactly forty columns!"},
		{name: "a long word", text: "a 0123456789012345678901234567890123456789 b", width: 40, want: "a\n  0123456789012345678901234567890123456789\n  b"},
		{name: "a narrow terminal", text: "some text that is longer than forty columns are", width: 3, want: "some text that is longer than forty\n  columns are"},
		{name: "beyond ASCII", text: "äöü äöü äöü äöü äöü äöü äöü äöü äöü äöü äöü", width: 40, want: "äöü äöü äöü äöü äöü äöü äöü äöü äöü äöü\n  äöü"},
		{name: "indented", text: "    Why:  some text that is longer than forty", width: 40, want: "    Why:  some text that is longer than\n  forty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := wrap(tt.text, tt.width, "  "); got != tt.want {
				t.Errorf("got\n%q\nwant\n%q", got, tt.want)
			}
		})
	}
}
