// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMan(t *testing.T) {
	t.Parallel()
	page, stderr, code := printed(t, "man")
	if code != exitFine || stderr != "" || !strings.HasPrefix(page, ".TH WAYBILL 1 ") {
		t.Errorf("exit code %d, standard error %q and %.100q", code, stderr, page)
	}
	for _, cmd := range newRoot().Commands() {
		if cmd.GroupID != "" && !strings.Contains(page, "\n.SH \"WAYBILL "+strings.ToUpper(cmd.Name())+"\"\n") {
			t.Errorf("it does not describe %s", cmd.Name())
		}
	}
	known := regexp.MustCompile(`^\.(TH|SH|SS) |^\.(nf|fi)$|^\\&`)
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, ".") && !known.MatchString(line) || strings.HasPrefix(line, "'") {
			t.Errorf("a line would be taken for a request: %s", line)
		}
	}
}

func TestRoff(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain":            "plain",
		"--flag":           `\-\-flag`,
		`C:\spans`:         `C:\espans`,
		".hidden\n.hidden": "\\&.hidden\n\\&.hidden",
		"'quoted'\n'x'":    "\\&'quoted'\n\\&'x'",
	} {
		if diff := cmp.Diff(want, roff(text)); diff != "" {
			t.Errorf("roff(%q) (-want +got):\n%s", text, diff)
		}
	}
}
