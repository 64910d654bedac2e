// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const library = `package reader

import "strings"

type Reader struct{ *strings.Builder }
func New() *Reader { return nil }
func (*Reader) Close() {}
func (*Reader) close() {}
func Copy() {}

type hidden struct{}
func (hidden) Method() {}
func private() {}

const Limit = 1
`

func TestFindReportsExamplesThatDocumentationShowsNowhere(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		example string
		orphan  bool
	}{
		"package":                     {example: "Example"},
		"package with suffix":         {example: "Example_offline"},
		"type":                        {example: "ExampleReader"},
		"constructor":                 {example: "ExampleNew"},
		"constructor with suffix":     {example: "ExampleNew_twice"},
		"function":                    {example: "ExampleCopy"},
		"method":                      {example: "ExampleReader_Close"},
		"method with suffix":          {example: "ExampleReader_Close_again"},
		"upper-case suffix":           {example: "ExampleCopy_Again", orphan: true},
		"missing function":            {example: "ExampleMove", orphan: true},
		"missing method":              {example: "ExampleReader_Reset", orphan: true},
		"method promoted from import": {example: "ExampleReader_WriteString", orphan: true},
		"unexported method":           {example: "ExampleReader_close"}, // Reader with the suffix "close".
		"unexported function":         {example: "Example_private"},
		"identifier of an import":     {example: "ExampleBuilder", orphan: true},
		"not an example":              {example: "Examplehidden_Method"},
	}
	for name, tt := range tests {
		for _, pkg := range []string{"reader", "reader_test"} {
			t.Run(name+" in "+pkg, func(t *testing.T) {
				t.Parallel()

				dir := t.TempDir()
				write(t, dir, "reader.go", library)
				write(t, dir, "example_test.go", exampleFile(pkg, tt.example))

				got := lines(t, dir)
				want := ""
				if tt.orphan {
					want = filepath.Join(dir, "example_test.go") + ":5: " + tt.example + " is the example of no exported identifier"
				}
				if got != want {
					t.Errorf("find() = %q, want %q", got, want)
				}
			})
		}
	}
}

func TestFindWalksPackagesAsTheGoCommandDoes(t *testing.T) {
	t.Parallel()

	root := t.TempDir()
	orphan := exampleFile("reader_test", "ExampleMissing")
	for _, dir := range []string{"a", "a/b", "testdata/c", "vendor/d", ".git/e", "_f"} {
		write(t, filepath.Join(root, dir), "reader.go", library)
		write(t, filepath.Join(root, dir), "example_test.go", orphan)
	}
	write(t, filepath.Join(root, "notes"), "README.md", "no Go here")
	write(t, filepath.Join(root, "tagged"), "example_test.go", "//go:build never\n\n"+orphan)

	report := ":5: ExampleMissing is the example of no exported identifier"
	want := filepath.Join(root, "a", "example_test.go") + report + "\n" +
		filepath.Join(root, "a", "b", "example_test.go") + report
	if got := lines(t, root); got != want {
		t.Errorf("find() reported\n%s\nwant\n%s", got, want)
	}
}

func TestFindRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()

	broken := t.TempDir()
	write(t, broken, "reader.go", "package reader\n\nfunc {")
	for name, dir := range map[string]string{
		"broken code":       broken,
		"missing directory": filepath.Join(broken, "missing"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if orphans, err := find(dir); err == nil {
				t.Errorf("find() = %v and no error", orphans)
			}
		})
	}
}

func exampleFile(pkg, example string) string {
	return "package " + pkg + "\n\nimport _ \"strings\"\n\nfunc " + example + "() {\n\tprintln()\n\t// Output:\n}\n"
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// lines returns the orphans in root, one a line.
func lines(t *testing.T, root string) string {
	t.Helper()
	orphans, err := find(root)
	if err != nil {
		t.Fatal(err)
	}
	text := make([]string, len(orphans))
	for i, o := range orphans {
		text[i] = o.String()
	}
	return strings.Join(text, "\n")
}
