// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/internal/flow"
)

const (
	pages    = "../../docs/diagnosis/"
	mistakes = "../../examples/diagnosis/"
)

// pageWidth is the width that pages show the output of doctor in.
const pageWidth = 100

// Each kind of findings has a page with the code that causes it, what doctor says of
// its recording, the code that does not, and when doctor is silent. What is between
// comments such as <!-- doctor fault --> is rewritten if UPDATE_DOCS is set.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, rule := range flow.Rules() {
		t.Run(rule.ID, func(t *testing.T) {
			t.Parallel()
			text := checkPage(t, pages+rule.ID+".md", map[string]func(t *testing.T, what string) string{
				"code":   func(t *testing.T, name string) string { return codeOf(t, rule.ID, name) },
				"doctor": func(t *testing.T, which string) string { return doctorOn(t, rule.ID, which) },
				"tree": func(t *testing.T, which string) string {
					return outputOf(t, append([]string{"tree"}, plantedFiles(rule.ID, which)...)...)
				},
			})
			code := strings.ToLower(rule.ID)
			for _, want := range []string{
				"# " + rule.ID + ": " + rule.Title + "\n", "<!-- code " + code + "Fault -->", "<!-- doctor fault -->", "<!-- tree fault -->",
				"<!-- code " + code + "Cure -->", "\n## When it is silent\n", "](../../examples/diagnosis/" + code + ".go)",
			} {
				if !strings.Contains(text, want) {
					t.Errorf("the page does not contain %q", want)
				}
			}
		})
	}
	checkPage(t, "../../docs/diagnosis.md", map[string]func(t *testing.T, what string) string{"index": indexOf})
}

var generated = regexp.MustCompile(`(?s)<!-- (\w+) (\w+) -->\n(.*?)<!-- end -->\n`)

// checkPage checks what is generated of a page, or rewrites it, and returns the page.
func checkPage(t *testing.T, file string, generators map[string]func(t *testing.T, what string) string) string {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := generated.ReplaceAllStringFunc(string(page), func(part string) string {
		m := generated.FindStringSubmatch(part)
		generate, ok := generators[m[1]]
		if !ok {
			t.Fatalf("%s: nothing generates %q", file, m[1])
		}
		return fmt.Sprintf("<!-- %s %s -->\n%s<!-- end -->\n", m[1], m[2], generate(t, m[2]))
	})
	if os.Getenv("UPDATE_DOCS") != "" {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(string(page), got); diff != "" {
		t.Errorf("%s differs, and UPDATE_DOCS=1 rewrites it (-want +got):\n%s", file, diff)
	}
	return got
}

// codeOf returns a function of a mistake.
func codeOf(t *testing.T, id, name string) string {
	t.Helper()
	file := mistakes + strings.ToLower(id) + ".go"
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, file, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range parsed.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Name.Name == name {
			start := f.Pos()
			if f.Doc != nil {
				start = f.Doc.Pos()
			}
			return fence("go", string(source[files.Position(start).Offset:files.Position(f.End()).Offset])+"\n")
		}
	}
	t.Fatalf("%s has no function %s", file, name)
	return ""
}

// doctorOn returns what doctor prints in a terminal.
func doctorOn(t *testing.T, id, which string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(pageOutput(t, append([]string{"doctor"}, plantedFiles(id, which)...)...)) {
		indent := "    "
		if strings.HasPrefix(line, "    Why:") || strings.HasPrefix(line, "    Fix:") {
			indent = "          "
		}
		b.WriteString(wrap(line, pageWidth, indent))
	}
	return fence("text", b.String())
}

// outputOf returns what a command prints.
func outputOf(t *testing.T, args ...string) string {
	t.Helper()
	return fence("text", pageOutput(t, args...))
}

func pageOutput(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), args, nil, &stdout, &stderr); code == exitUsage {
		t.Fatalf("%q: exit code %d: %s", args, code, &stderr)
	}
	return stdout.String()
}

func fence(language, text string) string { return "```" + language + "\n" + text + "```\n" }

// indexOf returns a table of all kinds of findings.
func indexOf(*testing.T, string) string {
	var b strings.Builder
	b.WriteString("| finding | what happened | level, and how sure |\n|---|---|---|\n")
	for _, rule := range flow.Rules() {
		level, _, _ := strings.Cut(strings.TrimPrefix(planted[rule.ID][0], rule.ID+" "), ":")
		level, _, _ = strings.Cut(level, " ×")
		fmt.Fprintf(&b, "| [%[1]s](diagnosis/%[1]s.md) | %[2]s | %[3]s |\n", rule.ID, rule.Title, level)
	}
	return b.String()
}
