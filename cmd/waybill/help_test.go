// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// printed runs the program and returns what it prints, and its exit code.
func printed(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errors bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errors)
	return out.String(), errors.String(), code
}

func TestHelp_EachCommand(t *testing.T) {
	t.Parallel()
	for _, cmd := range newRoot().Commands() {
		t.Run(cmd.Name(), func(t *testing.T) {
			t.Parallel()
			help, stderr, code := printed(t, cmd.Name(), "--help")
			if code != exitFine || stderr != "" {
				t.Errorf("exit code %d and standard error %q, want 0 and none", code, stderr)
			}
			for _, want := range []string{"\n\nUsage:\n  waybill " + cmd.Name(), "\n\nExamples:\n  ", "\n\nFlags:\n", "\n\nExit codes:\n  "} {
				if !strings.Contains(help, want) {
					t.Errorf("the help text has no %q:\n%s", want, help)
				}
			}
			if unnamed := regexp.MustCompile(`--\S+ (string|strings|int|float|duration)\b`).FindString(help); unnamed != "" {
				t.Errorf("the value of a flag has no name: %s", unnamed)
			}
			for line := range strings.Lines(help) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > helpWidth+10 {
					t.Errorf("a line has %d columns: %s", n, line)
				}
			}
		})
	}
}

func TestHelp_OfTheProgram(t *testing.T) {
	t.Parallel()
	alone, stderr, code := printed(t)
	if code != exitFine || stderr != "" {
		t.Errorf("without arguments: exit code %d and standard error %q, want 0 and none", code, stderr)
	}
	for _, cmd := range newRoot().Commands() {
		if !strings.Contains(alone, "\n  "+cmd.Name()+" ") {
			t.Errorf("the help text does not list %s:\n%s", cmd.Name(), alone)
		}
	}
	for _, args := range [][]string{{"help"}, {"--help"}, {"-h"}} {
		if got, _, code := printed(t, args...); got != alone || code != exitFine {
			t.Errorf("waybill %s exits with %d and prints\n%s\nwant what waybill alone prints", args[0], code, got)
		}
	}
}

func TestRun_Version(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--version", "-v"} {
		if got, stderr, code := printed(t, flag); got != "waybill "+version()+"\n" || stderr != "" || code != exitFine {
			t.Errorf("waybill %s exits with %d and prints %q and %q, want %q", flag, code, got, stderr, "waybill "+version()+"\n")
		}
	}
}

func TestRun_WrongUseSaysWhatIsRight(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{name: "misspelled command", args: []string{"docter"}, want: "waybill: unknown command \"docter\"; did you mean doctor?\n"},
		{name: "two candidates", args: []string{"re"}, want: "waybill: unknown command \"re\"; did you mean report or tree?\n"},
		{name: "another command", args: []string{"cure"}, want: "waybill: unknown command \"cure\"; see waybill --help\n"},
		{name: "unknown flag of the program", args: []string{"--x"}, want: "waybill: unknown flag: --x; see waybill --help\n"},
		{name: "unknown flag", args: []string{"doctor", "--frmat", "json"}, want: "waybill: unknown flag: --frmat; see waybill doctor --help\n"},
		{name: "flag without a value", args: []string{"doctor", "--format"}, want: "waybill: flag needs an argument: --format; see waybill doctor --help\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := printed(t, tt.args...)
			if stdout != "" || stderr != tt.want || code != exitUsage {
				t.Errorf("exit code %d, output %q and standard error %q; want %d, none and %q", code, stdout, stderr, exitUsage, tt.want)
			}
		})
	}
}

func TestCompletion_FlagValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		want []string // Each is a line.
	}{
		{name: "format", args: []string{"doctor", "--format", ""}, want: []string{"github", "json", "junit", "sarif", "text"}},
		{name: "level", args: []string{"doctor", "--fail-on", ""}, want: []string{"violation", "warning", "info"}},
		{name: "findings", args: []string{"doctor", "--allow", "P1"}, want: []string{"P18\tclocks that differ"}},
		{name: "form of a catalog", args: []string{"catalog", "--format", ""}, want: []string{"markdown", "mermaid"}},
		{name: "rows", args: []string{"exec", "--rows", ""}, want: []string{"auto", "always", "never"}},
		{name: "commands", args: []string{"d"}, want: []string{"doctor\tSay what is wrong with a flow, and what to change"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stdout, _, code := printed(t, append([]string{"__complete"}, tt.args...)...)
			lines := strings.Split(stdout, "\n")
			for _, want := range tt.want {
				if !slices.Contains(lines, want) {
					t.Errorf("exit code %d, and it completes to\n%s\nwant %q", code, stdout, want)
				}
			}
		})
	}
}

func TestCompletion_Scripts(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		script, stderr, code := printed(t, "completion", shell)
		if code != exitFine || stderr != "" || !strings.Contains(script, "waybill") {
			t.Errorf("%s: exit code %d, standard error %q and %.100q", shell, code, stderr, script)
		}
	}
}
