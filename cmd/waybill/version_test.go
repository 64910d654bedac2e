// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime/debug"
	"testing"
)

func TestVersionOf(t *testing.T) {
	t.Parallel()
	commit := []debug.BuildSetting{
		{Key: "vcs", Value: "git"},
		{Key: "vcs.revision", Value: "0629824a1b2c3d4e5f60718293a4b5c6d7e8f901"},
		{Key: "vcs.time", Value: "2026-11-30T11:09:55Z"},
	}
	for _, tt := range []struct {
		name     string
		version  string
		settings []debug.BuildSetting
		want     string
	}{
		{name: "installed", version: "v0.1.0", want: "v0.1.0"},
		{name: "built at a tag", version: "v0.1.0", settings: commit, want: "v0.1.0"},
		{name: "built at a commit", version: "(devel)", settings: commit, want: "(devel) commit 0629824a1b2c of 2026-11-30T11:09:55Z"},
		{
			name: "built from changed files", version: "(devel)",
			settings: append(commit[:3:3], debug.BuildSetting{Key: "vcs.modified", Value: "true"}),
			want:     "(devel) commit 0629824a1b2c of 2026-11-30T11:09:55Z, changed",
		},
		{name: "built outside of a repository", version: "(devel)", want: "(devel)"},
		{name: "built without modules", want: "(devel)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := versionOf(&debug.BuildInfo{Main: debug.Module{Version: tt.version}, Settings: tt.settings})
			if got != tt.want {
				t.Errorf("versionOf() = %q, want %q", got, tt.want)
			}
		})
	}
}
