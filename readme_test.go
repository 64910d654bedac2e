// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package waybill_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentedCodeIsTestedCode proves that each block of Go or Python of these pages
// stands, line for line, in an example that the tests run or in a program that they
// start.
func TestDocumentedCodeIsTestedCode(t *testing.T) {
	t.Parallel()
	tested := testedCode(t)
	for _, page := range []string{"README.md", "docs/carriers.md", "docs/sampling.md", "docs/redaction.md", "docs/jobs.md"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			blocks := regexp.MustCompile("(?s)```(?:go|python)\n(.*?)```").FindAllSubmatch(text, -1)
			if len(blocks) == 0 {
				t.Fatal("it has no code")
			}
			for _, block := range blocks {
				if code := string(block[1]); !strings.Contains(tested, unindent(code)) {
					t.Errorf("no example holds this block:\n%s", code)
				}
			}
		})
	}
}

// Each heading of the five lines leads to a program with them, but that of the tests.
func TestReadme_LinksExamples(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\n## Five lines each\n")
	section, _, _ := strings.Cut(after, "\n## ")
	headings := regexp.MustCompile(`(?m)^\*\*(?:\[(.+?)\]\((.+?)\)|(.+?))\.\*\*`).FindAllStringSubmatch(section, -1)
	if len(headings) == 0 {
		t.Fatal("it has no headings")
	}
	for _, heading := range headings {
		if unlinked := heading[3]; unlinked != "" {
			if unlinked != "Tests" {
				t.Errorf("%s links no example", unlinked)
			}
			continue
		}
		if _, err := os.Stat(filepath.Join(heading[2], "main.go")); err != nil {
			t.Errorf("%s: %v", heading[1], err)
		}
	}
}

// testedCode returns every example and example program of the repository.
func testedCode(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		started := regexp.MustCompile(`^(examples|internal/e2e/airflow/dags)/`).MatchString(filepath.ToSlash(path))
		program := started && (strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".py"))
		example := program || strings.HasSuffix(path, "example_test.go")
		if d.IsDir() || !example {
			return nil
		}
		code, err := os.ReadFile(path)
		all.WriteString(unindent(string(code)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// unindent takes the white space off both ends of each line.
func unindent(code string) string {
	var out strings.Builder
	for line := range strings.Lines(code) {
		out.WriteString(strings.TrimSpace(line) + "\n")
	}
	return out.String()
}
