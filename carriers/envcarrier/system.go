// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import (
	"runtime"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/internal/envname"
)

// system is what environments are like under an operating system. It reads an
// environment, a list of NAME=value.
type system struct {
	foldsCase bool // Names that differ only in case are one name.
	maxEntry  int  // The length of the longest NAME=value that a process can be started with.
}

// The limits are MAX_ARG_STRLEN of Linux and the one of CreateProcess, both less the NUL
// at the end. Windows counts UTF-16, which is never more than the bytes that are counted
// here.
// https://man7.org/linux/man-pages/man2/execve.2.html
// https://learn.microsoft.com/windows/win32/procthread/environment-variables
var (
	linux   = &system{maxEntry: 128<<10 - 1}
	windows = &system{foldsCase: true, maxEntry: 32<<10 - 2}
)

// host is the system of this process. Systems without a limit of their own have the one
// of Linux.
var host = systemOf(runtime.GOOS)

func systemOf(goos string) *system {
	if goos == "windows" {
		return windows
	}
	return linux
}

// Get implements [propagation.Getter].
func (s *system) Get(environ []string, key string) string {
	name := Normalize(key)
	if i := s.lastOf(environ, name); i >= 0 {
		return environ[i][len(name)+1:]
	}
	return ""
}

// Keys implements [propagation.Keyer].
func (*system) Keys(environ []string) []string {
	names := make([]string, 0, len(environ))
	seen := make(map[string]struct{}, len(environ))
	for _, entry := range environ {
		name, _, ok := strings.Cut(entry, "=")
		if _, twice := seen[name]; !ok || twice || !envname.IsNormalized(name) {
			continue
		}
		seen[name] = struct{}{}
		names = append(names, name)
	}
	return names
}

// with returns a copy of environ in which the variable called name has value, or is
// removed if no process can be started with it.
func (s *system) with(environ []string, name, value string) []string {
	environ = s.without(environ, name)
	if s.passable(name, value) {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// without returns a copy of environ without the variable called name, and with
// room for one more. It is never nil.
func (s *system) without(environ []string, name string) []string {
	kept := make([]string, 0, len(environ)+1)
	for _, entry := range environ {
		if !s.holds(entry, name) {
			kept = append(kept, entry)
		}
	}
	return kept
}

// lastOf returns the index of the last entry of the variable called name, or -1.
func (s *system) lastOf(environ []string, name string) int {
	for i, entry := range slices.Backward(environ) {
		if s.holds(entry, name) {
			return i
		}
	}
	return -1
}

// holds reports whether entry is a value of the variable called name.
func (s *system) holds(entry, name string) bool {
	return len(entry) > len(name) && entry[len(name)] == '=' && s.sameName(entry[:len(name)], name)
}

// sameName reports whether a and b name one variable.
func (s *system) sameName(a, b string) bool {
	return a == b || s.foldsCase && strings.EqualFold(a, b)
}

// passable reports whether a process can be started with the variable.
func (s *system) passable(name, value string) bool {
	return len(name)+1+len(value) <= s.maxEntry && strings.IndexByte(value, 0) < 0
}
