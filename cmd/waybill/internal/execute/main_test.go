// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/waybill-go/waybill/cmd/waybill/internal/execute"
)

// configName is the variable that makes the test binary run a job.
const configName = "EXECUTE_TEST_CONFIG"

func TestMain(m *testing.M) {
	config, ok := os.LookupEnv(configName)
	if !ok {
		catchIgnored()
		os.Exit(m.Run())
	}
	var cfg execute.Config
	if err := json.Unmarshal([]byte(config), &cfg); err != nil {
		panic(err)
	}
	if err := os.Unsetenv(configName); err != nil {
		panic(err)
	}
	if _, ok := os.LookupEnv(subreaperName); ok {
		becomeSubreaper()
	}
	os.Exit(execute.Run(context.Background(), cfg))
}

// catchIgnored ends that signals are ignored, as nohup and background jobs of a shell
// have it: the commands of the tests would inherit that.
func catchIgnored() {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTERM} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}

// job returns a command that runs cfg in a process of its own, with the variables of
// a plain environment and those that are given.
func job(tb testing.TB, cfg execute.Config, environ ...string) *exec.Cmd {
	tb.Helper()
	config, err := json.Marshal(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(tb.Context(), os.Args[0])
	cmd.Env = append(plain(tb), configName+"="+string(config))
	cmd.Env = append(cmd.Env, environ...)
	return cmd
}

// plain returns an environment without a context and without exporters.
func plain(tb testing.TB) []string {
	tb.Helper()
	return []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + tb.TempDir(), "LC_ALL=C"}
}

// sh returns a command that a shell runs.
func sh(format string, args ...any) []string {
	return []string{"/bin/sh", "-c", fmt.Sprintf(format, args...)}
}
