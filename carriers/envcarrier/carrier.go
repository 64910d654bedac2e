// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import (
	"runtime"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/propagation"
)

const windows = runtime.GOOS == "windows"

// Carrier is an environment, a list of NAME=value, as a
// [propagation.TextMapCarrier]: for a list that is at hand it is a conversion.
//
//	carrier := envcarrier.Carrier(environ)
//	propagation.InjectTextMap(ctx, &carrier)
//
// Keys are normalised, see [Normalize]; values are opaque. Set and Delete
// replace the list and never write into the old one, so lists that share memory
// stay as they are. A nil *Carrier holds nothing and takes nothing. A Carrier
// may be read concurrently, and be changed by one at a time.
//
// On Windows, where the system does so too, names are compared without regard
// to case.
type Carrier []string

// Compile-time check that Carrier implements TextMapCarrier.
var _ propagation.TextMapCarrier = (*Carrier)(nil)

// Get returns the value under key, or "" if it is unset or empty. Of several
// entries the last counts, as it does for os/exec.
func (c *Carrier) Get(key string) string {
	if c == nil {
		return ""
	}
	return list{}.Get(*c, key)
}

// Set makes value the only one under key.
//
// A value that no process can be started with is left out, and the variable
// with it: one that holds a NUL, and one that makes NAME=value longer than the
// system takes, 131,071 bytes on Linux and 32,766 on Windows.
func (c *Carrier) Set(key, value string) {
	if c != nil {
		*c = put(copyOf(*c, 1), Normalize(key), value)
	}
}

// Delete removes every entry under key.
func (c *Carrier) Delete(key string) {
	if c == nil {
		return
	}
	if name := Normalize(key); lastOf(*c, name) >= 0 {
		*c = remove(copyOf(*c, 0), name)
	}
}

// Keys returns the names in the environment that are normalised, each once.
func (c *Carrier) Keys() []string {
	if c == nil {
		return nil
	}
	return list{}.Keys(*c)
}

// list reads an environment.
type list struct{}

func (list) Get(environ []string, key string) string {
	name := Normalize(key)
	if i := lastOf(environ, name); i >= 0 {
		return environ[i][len(name)+1:]
	}
	return ""
}

func (list) Keys(environ []string) []string { return normalizedNames(environ) }

// owned is the accessor of an environment that nobody else has, which is
// written to in place.
type owned struct{}

func (owned) Get(environ *[]string, key string) string { return list{}.Get(*environ, key) }
func (owned) Keys(environ *[]string) []string          { return normalizedNames(*environ) }
func (owned) Set(environ *[]string, key, value string) {
	*environ = put(*environ, Normalize(key), value)
}
func (owned) Delete(environ *[]string, key string) { *environ = remove(*environ, Normalize(key)) }

// copyOf returns a copy of environ with room for more entries. It is never nil.
func copyOf(environ []string, more int) []string {
	return append(make([]string, 0, len(environ)+more), environ...)
}

// put makes value the only one of the variable called name, in place.
func put(environ []string, name, value string) []string {
	environ = remove(environ, name)
	if passable(name, value) {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// remove takes every variable called name out, in place.
func remove(environ []string, name string) []string {
	return slices.DeleteFunc(environ, func(entry string) bool { return holds(entry, name, sameName) })
}

// lastOf returns where the variable called name is that counts, or -1.
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

// normalizedNames returns the names in environ that are normalised, each once.
func normalizedNames(environ []string) []string {
	names := make([]string, 0, len(environ))
	seen := make(map[string]struct{}, len(environ))
	for _, entry := range environ {
		name, _, ok := strings.Cut(entry, "=")
		if _, twice := seen[name]; !ok || twice || !isNormalized(name) {
			continue
		}
		seen[name] = struct{}{}
		names = append(names, name)
	}
	return names
}

// The longest NAME=value a process can be started with: MAX_ARG_STRLEN of
// Linux, and the limit of CreateProcess, both less the NUL at the end.
// https://man7.org/linux/man-pages/man2/execve.2.html
// https://learn.microsoft.com/windows/win32/procthread/environment-variables
const (
	maxEntryLinux   = 128<<10 - 1
	maxEntryWindows = 32<<10 - 2
)

func passable(name, value string) bool {
	limit := maxEntryLinux
	if windows {
		limit = maxEntryWindows
	}
	return len(name)+1+len(value) <= limit && strings.IndexByte(value, 0) < 0
}
