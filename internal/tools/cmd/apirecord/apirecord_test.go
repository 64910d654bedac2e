// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const library = `// Package lib is described.
package lib

import (
	"context"
	"io"
)

const Limit = 3
const Name Level = "a"

type Level string

var ErrLost error

func Copy[T any](ctx context.Context, values []T, opts ...Option) (int, error) { return 0, nil }

type Option interface{ apply(int) int }

type Number interface{ ~int | ~float64 }

type Source interface {
	io.Reader
	Name() string
}

type Row struct {
	io.Writer
	Key, Value string
	hidden     []int
}

func (Row) Size() int    { return 0 }
func (*Row) Reset()      {}
func (r *Row) secret()   {}

type Alias = map[string]Row

type Pair[K comparable, V any] struct{ Key K; Value V }

func (p Pair[K, V]) Swap(with func(K) V) Pair[K, V] { return p }

type private struct{ Key string }
func internalOnly() {}
`

const described = `package example.com/lib
const Limit untyped int = 3
const Name Level = "a"
func Copy[T any](ctx context.Context, values []T, opts ...Option) (int, error)
method (*Row) Reset()
method (Pair[K comparable, V any]) Swap(with func(K) V) Pair[K, V]
method (Row) Size() int
method (Row) Write(p []byte) (n int, err error)
type Alias = map[string]Row
type Level string
type Number interface
type Number interface, constraint interface{~int | ~float64}
type Option interface
type Option interface, sealed
type Pair[K comparable, V any] struct
type Pair[K comparable, V any] struct, Key K
type Pair[K comparable, V any] struct, Value V
type Pair[K comparable, V any] struct, not comparable
type Row struct
type Row struct, Key string
type Row struct, Value string
type Row struct, embedded io.Writer
type Row struct, not comparable
type Source interface
type Source interface, Name() string
type Source interface, Read(p []byte) (n int, err error)
var ErrLost error
`

func TestRun_WritesTheRecordOfEveryImportablePackage(t *testing.T) {
	t.Parallel()
	module := newModule(t, map[string]string{
		"lib.go":               library,
		"sub/sub.go":           "package sub\n\nfunc Do() {}\n",
		"sub/sub_test.go":      "package sub\n\nfunc Test() {}\n",
		"empty/empty.go":       "package empty\n",
		"cmd/tool/main.go":     "package main\n\nfunc main() {}\n\nfunc Exported() {}\n",
		"internal/x/x.go":      "package x\n\nfunc Hidden() {}\n",
		"nested/go.mod":        "module example.com/lib/nested\n\ngo 1.26\n",
		"nested/nested.go":     "package nested\n\nfunc Nested() {}\n",
		"nested/internal/y.go": "package internal\n\nfunc Hidden() {}\n",
	})
	record := filepath.Join(t.TempDir(), "api")
	mustRun(t, 0, "-w", record, module, filepath.Join(module, "nested"))

	want := map[string]string{
		"lib.txt":    described,
		"sub.txt":    "package example.com/lib/sub\nfunc Do()\n",
		"nested.txt": "package example.com/lib/nested\nfunc Nested()\n",
	}
	for name, text := range want {
		if got := readFile(t, filepath.Join(record, name)); got != text {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, text)
		}
	}
	if entries, err := os.ReadDir(record); err != nil || len(entries) != len(want) {
		t.Errorf("the record has the files %v, %v; want %d", entries, err, len(want))
	}
	if out := mustRun(t, 0, record, module, filepath.Join(module, "nested")); out != "" {
		t.Errorf("a fresh record differs:\n%s", out)
	}
}

func TestRun_ReportsAChangeOfTheAPI(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ old, fresh, want string }{
		"removed function":      {"func Copy[T any]", "func copyAll[T any]", "- func Copy[T any](ctx context.Context, values []T, opts ...Option) (int, error)\n"},
		"added function":        {"func internalOnly", "func Public", "+ func Public()\n"},
		"changed value":         {"Limit = 3", "Limit = 4", "- const Limit untyped int = 3\n+ const Limit untyped int = 4\n"},
		"receiver":              {"func (Row) Size", "func (*Row) Size", "+ method (*Row) Size() int\n- method (Row) Size() int\n"},
		"comparable now":        {"hidden     []int", "hidden     int", "- type Row struct, not comparable\n"},
		"method of interface":   {"io.Reader\n", "", "- type Source interface, Read(p []byte) (n int, err error)\n"},
		"field":                 {"Key, Value string", "Key, Value, Note string", "+ type Row struct, Note string\n"},
		"unexported is nothing": {"func internalOnly() {}", "func other() {}", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			record := filepath.Join(t.TempDir(), "api")
			mustRun(t, 0, "-w", record, newModule(t, map[string]string{"lib.go": library}))

			changed := newModule(t, map[string]string{"lib.go": strings.Replace(library, tt.old, tt.fresh, 1)})
			status, want := 1, "lib.txt:\n"+tt.want
			if tt.want == "" {
				status, want = 0, ""
			}
			if got := mustRun(t, status, record, changed); got != want {
				t.Errorf("it prints\n%s\nwant\n%s", got, want)
			}
			mustRun(t, 0, "-w", record, changed)
			mustRun(t, 0, record, changed)
		})
	}
}

func TestRun_ReportsAPackageThatIsGone(t *testing.T) {
	t.Parallel()
	record := filepath.Join(t.TempDir(), "api")
	mustRun(t, 0, "-w", record, newModule(t, map[string]string{"sub/sub.go": "package sub\n\nfunc Do() {}\n"}))

	without := newModule(t, map[string]string{"other/other.go": "package other\n\nfunc Do() {}\n"})
	want := "other.txt:\n+ func Do()\n+ package example.com/lib/other\nsub.txt:\n- func Do()\n- package example.com/lib/sub\n"
	if got := mustRun(t, 1, record, without); got != want {
		t.Errorf("it prints\n%s\nwant\n%s", got, want)
	}
	mustRun(t, 0, "-w", record, without)
	if _, err := os.Stat(filepath.Join(record, "sub.txt")); !os.IsNotExist(err) {
		t.Errorf("the file of a package that is gone: %v", err)
	}
}

func TestRun_RefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"no arguments":   {},
		"unknown flag":   {"-x", "api", "."},
		"broken package": {t.TempDir(), newModule(t, map[string]string{"lib.go": "package lib\n\nfunc F() {"})},
		"no module":      {t.TempDir(), filepath.Join(t.TempDir(), "none")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustRun(t, 2, args...)
		})
	}
}

// newModule writes the module example.com/lib and returns its directory.
func newModule(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	texts["go.mod"] = "module example.com/lib\n\ngo 1.26\n"
	for name, text := range texts {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// mustRun runs the command and returns what it prints to standard output.
func mustRun(t *testing.T, want int, args ...string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	if got := run(args, &stdout, &stderr); got != want {
		t.Fatalf("apirecord %q exits with %d, want %d:\n%s%s", args, got, want, stdout.String(), stderr.String())
	}
	if (want != 0) != (stderr.Len() > 0) {
		t.Errorf("apirecord %q exits with %d and says %q", args, want, stderr.String())
	}
	return stdout.String()
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
