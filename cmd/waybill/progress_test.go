// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
)

func TestProgressLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		now  recording.Progress
		took time.Duration
		want string
	}{
		{name: "a file", now: recording.Progress{Spans: 345_000, Bytes: 300e6, Size: 1.2e9}, took: 2 * time.Second, want: "waybill: 300 MB of 1.2 GB, 345,000 spans, 6s left"},
		{name: "a pipe", now: recording.Progress{Spans: 1, Bytes: 300e3}, took: time.Second, want: "waybill: 300 kB, 1 span"},
		{name: "at the end", now: recording.Progress{Spans: 2, Bytes: 3e6, Size: 3e6}, took: time.Second, want: "waybill: 3 MB of 3 MB, 2 spans"},
		{name: "at the beginning", now: recording.Progress{Size: 3e6}, took: time.Second, want: "waybill: 0 kB of 3 MB, 0 spans"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := progressLine(tt.now, tt.took); got != tt.want {
				t.Errorf("line %q, want %q", got, tt.want)
			}
		})
	}
}

// What is shown is one line, which is overwritten, fits the terminal, and is removed.
func TestProgress_LeavesNothing(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &progress{out: &out, width: 30, start: time.Now().Add(-time.Hour)}
	p.update(recording.Progress{Spans: 1_000_000, Bytes: 1e9, Size: 2e9})
	p.update(recording.Progress{Bytes: 1})
	p.end()
	screen := make([]rune, 0, 30)
	column := 0
	for _, r := range out.String() {
		if r == '\r' {
			column = 0
			continue
		}
		if column == len(screen) {
			screen = append(screen, r)
		} else {
			screen[column] = r
		}
		column++
	}
	if text := strings.TrimSpace(string(screen)); text != "" || column != 0 || len(screen) >= 30 {
		t.Errorf("the line is %q, the cursor in column %d, the width %d; want nothing, 0 and less than 30", text, column, len(screen))
	}
	if strings.ContainsAny(out.String(), "\n\x1b") {
		t.Errorf("there are control characters in %q", &out)
	}
}

func TestProgress_Silent(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer // It is no terminal.
	p := newProgress(&out)
	p.start = p.start.Add(-time.Hour)
	p.update(recording.Progress{Bytes: 1e9})
	p.end()
	if out.Len() > 0 {
		t.Errorf("shown: %q", &out)
	}
	p = &progress{out: &out, width: 80, start: time.Now()}
	p.update(recording.Progress{Bytes: 1e9})
	p.end()
	if out.Len() > 0 {
		t.Errorf("shown of what takes no time: %q", &out)
	}
}
