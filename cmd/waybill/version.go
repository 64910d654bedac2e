// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// version returns the version of this program, and what it was built with.
func version() string {
	name := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok {
		name = versionOf(info)
	}
	return name + " (" + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + ")"
}

// versionOf returns the version of the module that a program was built from. Without
// one it returns the commit and its time, if the build recorded them.
func versionOf(info *debug.BuildInfo) string {
	const development = "(devel)"
	version := cmp.Or(info.Main.Version, development)
	settings := make(map[string]string)
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	commit := settings["vcs.revision"]
	if version != development || commit == "" {
		return version
	}
	version += " commit " + commit[:min(len(commit), 12)] + " of " + settings["vcs.time"]
	if settings["vcs.modified"] == "true" {
		version += ", changed"
	}
	return version
}
