// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestExec_WrongUse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		want string // Part of standard error.
	}{
		{name: "no command", args: []string{"exec"}, want: "waybill: there is no command to run"},
		{name: "no command after dashes", args: []string{"exec", "--name", "x", "--"}, want: "waybill: there is no command to run"},
		{name: "unknown flag", args: []string{"exec", "--no-such-flag", "--", "true"}, want: "--no-such-flag"},
		{name: "unknown mode of rows", args: []string{"exec", "--rows", "some", "--", "true"}, want: `unknown --rows "some"`},
		{name: "no URL to push to", args: []string{"exec", "--push", "pushgateway", "--", "true"}, want: `--push "pushgateway" is not a URL`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), tt.args, strings.NewReader(""), &stdout, &stderr); code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if !strings.Contains(stderr.String(), tt.want) {
				t.Errorf("standard error %q, want it to contain %q", &stderr, tt.want)
			}
		})
	}
}

func TestExec_Help(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"exec", "--help"}, strings.NewReader(""), &stdout, &stderr); code != exitFine {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
	for _, want := range []string{"waybill exec [flags] -- COMMAND", "::rows read=120", "128+N", "--flush-timeout", "--annotations FILE"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("help\n%s\nwant it to contain %q", &stdout, want)
		}
	}
	for line := range strings.Lines(stdout.String()) {
		if len(line) > 120 {
			t.Errorf("line of %d bytes: %s", len(line), line)
		}
	}
}
