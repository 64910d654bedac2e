// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package jobcarrier_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// inLaunchScript is what processes get of variables of a YARN container: the
// NodeManager exports them in a script for bash, in double quotes and with no
// character escaped, as UnixShellScriptBuilder.env of Hadoop 3.4.1 does.
func inLaunchScript(t testing.TB, values []string) []string {
	t.Helper()
	return runEach(t, values, func(value string) string { return `"` + hadoop(value) + `"` })
}

// inLaunchCommand is what a process gets of the arguments of a Spark application
// on YARN: Spark quotes them, and the launch script hands the command line to a
// second shell in double quotes, as UnixShellScriptBuilder.command does.
func inLaunchCommand(t testing.TB, values []string) []string {
	t.Helper()
	var args strings.Builder
	for _, value := range values {
		args.WriteString(" " + hadoop(sparkQuoted(value)))
	}
	if len(values) == 0 {
		return nil
	}
	return run(t, "exec "+shell(t)+" -c \"printf '%s\\0' "+args.String()+"\"\n")
}

// inDoubleQuotes is what processes get of values that a shell script has in
// double quotes.
func inDoubleQuotes(t testing.TB, values []string) []string {
	t.Helper()
	return runEach(t, values, func(value string) string { return `"` + value + `"` })
}

// inSingleQuotes is what processes get of values that a shell script has in
// single quotes, as the variables of a Databricks cluster.
func inSingleQuotes(t testing.TB, values []string) []string {
	t.Helper()
	return runEach(t, values, func(value string) string { return "'" + value + "'" })
}

// runEach runs a script that exports each of values as it is quoted.
func runEach(t testing.TB, values []string, quoted func(string) string) []string {
	t.Helper()
	var script strings.Builder
	for _, value := range values {
		script.WriteString("export VALUE=" + quoted(value) + "\nprintf '%s\\0' \"$VALUE\"\n")
	}
	return run(t, script.String())
}

// shell returns the path of bash, which YARN uses, or else of the system's.
func shell(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"bash", "sh"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no shell")
	return ""
}

// run runs a script in an empty directory, in which it must leave nothing, and
// returns what it prints, up to each NUL.
func run(t testing.TB, script string) []string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), shell(t))
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(script)
	cmd.Env = append(os.Environ(), "DB_PASSWORD="+secret)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("error %v of the script, which prints %.1000q", err, out)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("error %v, the script left %v", err, left)
	}
	printed := strings.Split(string(out), "\x00")
	return printed[:len(printed)-1]
}
