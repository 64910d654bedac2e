// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import (
	"runtime"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/internal/envname"
	"github.com/waybill-go/waybill/propagation"
)

const windows = runtime.GOOS == "windows"

// Carrier adapts an environment, a list of NAME=value, to
// [propagation.TextMapCarrier].
//
//	carrier := envcarrier.Carrier(environ)
//	propagation.InjectTextMap(ctx, &carrier)
//
// Keys are normalized, see [Normalize]; values are opaque. Set and Delete
// replace the list and do not write to the old one, so lists that share memory
// with it do not change. On Windows names are compared without regard to case,
// as the system does.
//
// A nil *Carrier is empty, and Set is a no-op. A Carrier must not be modified
// concurrently.
type Carrier []string

var _ propagation.TextMapCarrier = (*Carrier)(nil)

// Get returns the value of key, or the empty string. If its variable occurs more
// than once, the last entry wins, as for os/exec.
func (c *Carrier) Get(key string) string {
	if c == nil {
		return ""
	}
	return listReader{}.Get(*c, key)
}

// Set replaces the value of key. If no process can be started with value, Set
// removes the variable: that is a value with a NUL, or one that makes NAME=value
// longer than 131,071 bytes on Linux or 32,766 on Windows.
func (c *Carrier) Set(key, value string) {
	if c == nil {
		return
	}
	name := Normalize(key)
	environ := without(*c, name)
	if passable(name, value) {
		environ = append(environ, name+"="+value)
	}
	*c = environ
}

// Delete removes every entry for key.
func (c *Carrier) Delete(key string) {
	if c == nil {
		return
	}
	if name := Normalize(key); lastOf(*c, name) >= 0 {
		*c = without(*c, name)
	}
}

// Keys returns the normalized names in the environment, each once.
func (c *Carrier) Keys() []string {
	if c == nil {
		return nil
	}
	return listReader{}.Keys(*c)
}

// listReader reads an environment.
type listReader struct{}

func (listReader) Get(environ []string, key string) string {
	name := Normalize(key)
	if i := lastOf(environ, name); i >= 0 {
		return environ[i][len(name)+1:]
	}
	return ""
}

func (listReader) Keys(environ []string) []string {
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

// without returns a copy of environ without the variable called name, and with
// room for one more. It is never nil.
func without(environ []string, name string) []string {
	kept := make([]string, 0, len(environ)+1)
	for _, entry := range environ {
		if !holds(entry, name, sameName) {
			kept = append(kept, entry)
		}
	}
	return kept
}

// lastOf returns the index of the last entry of the variable called name, or -1.
func lastOf(environ []string, name string) int {
	for i, entry := range slices.Backward(environ) {
		if holds(entry, name, sameName) {
			return i
		}
	}
	return -1
}

// holds reports whether entry is a value of the variable called name.
func holds(entry, name string, same func(a, b string) bool) bool {
	return len(entry) > len(name) && entry[len(name)] == '=' && same(entry[:len(name)], name)
}

// sameName reports whether a and b name one variable.
func sameName(a, b string) bool {
	if windows {
		return strings.EqualFold(a, b)
	}
	return a == b
}

// The longest NAME=value that a process can be started with: MAX_ARG_STRLEN of
// Linux and the limit of CreateProcess, both less the NUL at the end.
// https://man7.org/linux/man-pages/man2/execve.2.html
// https://learn.microsoft.com/windows/win32/procthread/environment-variables
const (
	maxEntryLinux   = 128<<10 - 1
	maxEntryWindows = 32<<10 - 2
)

// passable reports whether a process can be started with the variable.
func passable(name, value string) bool {
	limit := maxEntryLinux
	if windows {
		limit = maxEntryWindows
	}
	return len(name)+1+len(value) <= limit && strings.IndexByte(value, 0) < 0
}
