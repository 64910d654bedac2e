// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// recorded is a flow of one span, as an exporter of OpenTelemetry writes it to a file.
const recorded = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"api"}}]},"scopeSpans":[{"spans":[` +
	`{"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","name":"GET /orders","kind":2,` +
	`"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000001000000"}]}]}]}` + "\n"

func TestInstall_WaybillFromAModuleProxy(t *testing.T) {
	// The module cache has what the command requires, so no network is needed.
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOSUMDB", "off")
	dir, version := newRelease(t)
	r, err := open(dir, version, []string{".", "cmd/waybill"})
	if err != nil {
		t.Fatal(err)
	}
	problems, err := r.check()
	scratch := t.TempDir()
	if err == nil && len(problems) == 0 {
		problems, err = r.install(scratch)
	}
	if err != nil || len(problems) > 0 {
		t.Fatalf("it cannot be installed: %q, %v", problems, err)
	}

	work := t.TempDir()
	writeFiles(t, work, map[string]string{"spans.jsonl": recorded})
	waybill := func(args ...string) string {
		cmd := exec.Command(filepath.Join(scratch, "bin", "waybill"), args...)
		cmd.Dir = work
		out, failed := cmd.CombinedOutput()
		if failed != nil {
			t.Fatalf("waybill %q ends with %v:\n%s", args, failed, out)
		}
		return string(out)
	}
	waybill("report", "spans.jsonl", "-o", "flow.html")
	page, err := os.ReadFile(filepath.Join(work, "flow.html"))
	if err != nil || !bytes.HasPrefix(page, []byte("<!DOCTYPE html>")) || !bytes.Contains(page, []byte("GET /orders")) {
		t.Errorf("waybill report has written %.200q, %v", page, err)
	}
	if got, want := waybill("--version"), "waybill "+version+" ("; !strings.HasPrefix(got, want) {
		t.Errorf("waybill --version prints %q, want it to begin with %q", got, want)
	}
}

// newRelease returns a repository with this tree as it is committed for a release, and
// the version.
func newRelease(t *testing.T) (dir, version string) {
	t.Helper()
	tree, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	git(t, dir, "init", "--quiet")
	git(t, dir, "--git-dir", filepath.Join(dir, ".git"), "--work-tree", tree, "add", "--all")
	git(t, dir, "checkout-index", "--all")

	scope := readFile(t, filepath.Join(dir, "internal/scope/scope.go"))
	version = "v" + scopeVersion.FindStringSubmatch(scope)[1]
	changelog := readFile(t, filepath.Join(dir, "CHANGELOG.md"))
	heading := "## [" + strings.TrimPrefix(version, "v") + "] - 2026-01-31"
	mod := readFile(t, filepath.Join(dir, "cmd/waybill/go.mod"))
	writeFiles(t, dir, map[string]string{
		"CHANGELOG.md":       strings.Replace(changelog, changelogHeading.FindString(changelog), heading, 1),
		"cmd/waybill/go.mod": regexp.MustCompile(`(?m)(^\tgithub.com/waybill-go/waybill) v\S+$`).ReplaceAllString(mod, "$1 "+version),
	})
	git(t, dir, "add", "--all")
	git(t, dir, "commit", "--quiet", "-m", "release")
	return dir, version
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
