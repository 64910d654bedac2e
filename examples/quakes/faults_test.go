// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/examples/internal/program"
)

// fewEvents is the value of --events for tests that look at the flow and not at figures.
const fewEvents = "40"

// Each fault is found, on the side that has it, and nothing else is.
func TestDemo_Break(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		want string   // The finding, its level and how sure it is.
		fix  []string // Each is part of what to change.
	}{
		{name: faultInject, want: "P02 violation, certain", fix: []string{"carried no context", `in "ingest create quakes.raw"`}},
		{name: faultBackground, want: "P19 warning, likely", fix: []string{`"clean process quakes.raw"`}},
		{name: faultStale, want: "P11 violation, certain", fix: []string{"retried", "forwarded"}},
		{name: faultJob, want: "P01 violation, certain", fix: []string{"environment of the pod"}},
		{name: faultEnd, want: "P03 violation, likely", fix: []string{"span.End()"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			planted, err := faultNamed(tt.name)
			if err != nil {
				t.Fatal(err)
			}
			out := t.TempDir()
			printed := program.Output(t, inGo, "--break", tt.name, "--events", fewEvents, "--out", out)
			t.Log("\n" + printed)

			var got []string
			for _, f := range flowOf(readSpans(t, filepath.Join(out, spansFile))).findings() {
				got = append(got, f.ID+" "+f.Level.String()+", "+f.Sure.String())
				for _, want := range tt.fix {
					if !strings.Contains(f.Fix, want) {
						t.Errorf("what to change is %q, want in it %q", f.Fix, want)
					}
				}
			}
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Errorf("findings above info (-want +got):\n%s", diff)
			}
			for _, want := range []string{
				"\nA fault is planted: " + planted.mistake + ".\n",
				"\nFound: " + planted.id + " is the fault that was planted, " + planted.mistake + ". See " + planted.place + ".\n",
			} {
				if !strings.Contains(printed, want) {
					t.Errorf("nothing printed is %q", want)
				}
			}
		})
	}
}

func TestUsage_NamesEachFault(t *testing.T) {
	t.Parallel()
	text := strings.Join(strings.Fields(usage), " ")
	for _, f := range faults {
		if want := f.name + " " + f.mistake; !strings.Contains(text, want) {
			t.Errorf("the usage does not say %q", want)
		}
	}
}
