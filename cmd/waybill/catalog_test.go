// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/internal/golden"
)

// quakes is a part of the recording of a run of the demo.
const quakes = "testdata/quakes.jsonl.gz"

// catalogs runs catalog and returns its exit code and output.
func catalogs(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), append([]string{"catalog"}, args...), strings.NewReader(stdin), &out, &err)
	return code, out.String(), err.String()
}

func TestCatalog_Golden(t *testing.T) {
	t.Parallel()
	for format, name := range map[string]string{
		"markdown": "quakes-catalog.md", "json": "quakes-catalog.json", "mermaid": "quakes-catalog.mmd", "dot": "quakes-catalog.dot",
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := catalogs(t, "", "--format", format, quakes)
			if code != exitFine || stderr != "" {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			golden.Compare(t, name, stdout)
		})
	}
}

// The flags of a recording select flows, as for tree and report.
func TestCatalog_Selection(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := catalogs(t, flows(), "--service", "billing", "--format", "json")
	var c struct{ Services []struct{ Name string } }
	if err := json.Unmarshal([]byte(stdout), &c); err != nil || code != exitFine {
		t.Fatalf("exit code %d, %v: %s", code, err, stderr)
	}
	if len(c.Services) != 1 || c.Services[0].Name != "billing" {
		t.Errorf("services %v, want billing", c.Services)
	}
}

func TestCatalog_Diff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	_, written, _ := catalogs(t, "", "--format", "json", quakes)
	var indented bytes.Buffer // As jq --sort-keys has it.
	var values map[string]any
	if err := json.Unmarshal([]byte(written), &values); err != nil {
		t.Fatal(err)
	}
	sortedKeys, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Indent(&indented, sortedKeys, "", "    "); err != nil {
		t.Fatal(err)
	}
	asWritten, sorted, recorded := file("catalog.json", written), file("sorted.json", indented.String()), file("flows.jsonl", flows())
	for _, tt := range []struct {
		name   string
		args   []string
		code   int
		stdout string // What the output begins with.
		stderr string
	}{
		{name: "a recording with itself", args: []string{"--diff", quakes, "--fail-on", "any", quakes}, stdout: "Nothing has changed.\n"},
		{name: "its catalog", args: []string{"--diff", asWritten, "--fail-on", "any", quakes}, stdout: "Nothing has changed.\n"},
		{name: "its catalog with other keys first", args: []string{"--diff", sorted, quakes}, stdout: "Nothing has changed.\n"},
		{name: "another recording", args: []string{"--diff", recorded, quakes}, stdout: "15 changes.\n"},
		{name: "another recording, and that is wrong", args: []string{"--diff", recorded, "--fail-on", "any", quakes}, code: exitFindings, stdout: "15 changes.\n"},
		{name: "a change of another kind", args: []string{"--diff", recorded, "--fail-on", "slower,failing,broken", quakes}, stdout: "15 changes.\n"},
		{name: "a change of the kind", args: []string{"--diff", recorded, "--fail-on", "slower,vanished", quakes}, code: exitFindings, stdout: "15 changes.\n"},
		{name: "as JSON", args: []string{"--diff", recorded, "--format", "json", quakes}, stdout: "{\n  \"changes\": [\n    {\n      \"kind\": \"appeared\",\n"},
		{name: "of one service", args: []string{"--diff", recorded, "--service", "mail", recorded}, stdout: "Nothing has changed.\n"},
		{name: "as a diagram", args: []string{"--diff", asWritten, "--format", "dot", quakes}, code: exitUsage, stderr: `unknown format "dot"; with --diff the formats are json, markdown`},
		{name: "an unknown kind", args: []string{"--diff", asWritten, "--fail-on", "worse", quakes}, code: exitUsage, stderr: `unknown change "worse"; the changes are any, appeared, vanished, slower, failing, broken`},
		{name: "a negative limit", args: []string{"--diff", asWritten, "--slower", "-1", quakes}, code: exitUsage, stderr: "must not be negative"},
		{name: "a limit that is no number", args: []string{"--diff", asWritten, "--slower", "NaN", quakes}, code: exitUsage, stderr: "must not be negative"},
		{name: "a limit and nothing to compare with", args: []string{"--min-hops", "3", quakes}, code: exitUsage, stderr: "--min-hops needs --diff"},
		{name: "no such file", args: []string{"--diff", filepath.Join(dir, "absent"), quakes}, code: exitUsage, stderr: "absent"},
		{name: "a damaged catalog", args: []string{"--diff", file("damaged.json", `{"waybill_catalog":1,"edges":[`), quakes}, code: exitUsage, stderr: "damaged.json: damaged catalog"},
		{name: "an unknown format", args: []string{"--format", "yaml", quakes}, code: exitUsage, stderr: `unknown format "yaml"; the formats are dot, json, markdown, mermaid`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := catalogs(t, "", tt.args...)
			if code != tt.code || !strings.HasPrefix(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit code %d, output\n%sstandard error %q; want %d, %q and %q", code, stdout, stderr, tt.code, tt.stdout, tt.stderr)
			}
		})
	}
}

func TestEncodeJSON_EscapesControls(t *testing.T) {
	t.Parallel()
	name := "\x1b[31m\x7f\u009b31m\u202e\U000e0001 é 日"
	var b bytes.Buffer
	if err := encodeJSON(&b, name); err != nil {
		t.Fatal(err)
	}
	want := `"\u001b[31m\u007f\u009b31m\u202e\udb40\udc01 é 日"` + "\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("text (-want +got)\n%s", diff)
	}
	var back string
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back != name {
		t.Errorf("read back %q, %v", back, err)
	}
}
