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

// Carrier is a child's environment, a list of NAME=value, as a
// [propagation.TextMapCarrier]. Keys are normalised, see [Normalize]; values
// are opaque.
//
// The list it was made from is never written to. The zero value and a nil
// Carrier are empty environments; nothing can be set on a nil one. A Carrier
// must not be used concurrently: make one for each child.
//
// On Windows, where the system does so too, names are compared without regard
// to case.
type Carrier struct {
	environ []string
	owned   bool // reports whether environ is the Carrier's own copy.
}

// Compile-time check that Carrier implements TextMapCarrier.
var _ propagation.TextMapCarrier = (*Carrier)(nil)

// New returns a Carrier that starts with what environ holds. A nil environ is
// an empty environment, not the environment of this process.
func New(environ []string) *Carrier { return &Carrier{environ: environ} }

// Environ returns the environment, which is never nil and belongs to the
// caller: neither the list the Carrier was made from nor a later Set shares
// its memory.
func (c *Carrier) Environ() []string {
	if c == nil {
		return []string{}
	}
	c.own()
	c.owned = false
	return slices.Clip(c.environ)
}

// Get returns the value under key, or "" if it is unset or empty. Of several
// entries the last counts, as it does for os/exec.
func (c *Carrier) Get(key string) string {
	if c == nil {
		return ""
	}
	name := Normalize(key)
	for _, entry := range slices.Backward(c.environ) {
		if holds(entry, name, windows) {
			return entry[len(name)+1:]
		}
	}
	return ""
}

// Set makes value the only one under key.
//
// A value that no process can be started with is left out, and the variable
// with it: one that holds a NUL, and one that makes NAME=value longer than the
// system takes, 131,071 bytes on Linux and 32,766 on Windows.
func (c *Carrier) Set(key, value string) {
	if c == nil {
		return
	}
	name := Normalize(key)
	c.remove(name)
	if passable(name, value) {
		c.environ = append(c.environ, name+"="+value)
	}
}

// Delete removes every entry under key.
func (c *Carrier) Delete(key string) {
	if c != nil {
		c.remove(Normalize(key))
	}
}

// Keys returns the names in the environment that are normalised, each once.
func (c *Carrier) Keys() []string {
	if c == nil {
		return nil
	}
	return normalizedNames(c.environ)
}

// own makes the environment the Carrier's own, with room for a whole context.
func (c *Carrier) own() {
	if !c.owned {
		environ := make([]string, 0, len(c.environ)+4)
		c.environ, c.owned = append(environ, c.environ...), true
	}
}

func (c *Carrier) remove(name string) {
	c.own()
	c.environ = slices.DeleteFunc(c.environ, func(entry string) bool { return holds(entry, name, windows) })
}

// holds reports whether entry is a value of the variable called name.
func holds(entry, name string, foldCase bool) bool {
	if len(entry) <= len(name) || entry[len(name)] != '=' {
		return false
	}
	if foldCase {
		return strings.EqualFold(entry[:len(name)], name)
	}
	return entry[:len(name)] == name
}

// normalizedNames returns the names in environ that are normalised, each once.
func normalizedNames(environ []string) []string {
	names := make([]string, 0, len(environ))
	seen := make(map[string]struct{}, len(environ))
	for _, entry := range environ {
		name, _, ok := strings.Cut(entry, "=")
		if _, twice := seen[name]; !ok || twice || !normalized(name) {
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
