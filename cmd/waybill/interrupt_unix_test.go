// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mainVariable makes the test binary behave as the command.
const mainVariable = "WAYBILL_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVariable) != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestMain_Signals ends commands that wait for more input.
func TestMain_Signals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		args   []string
		signal syscall.Signal
	}{
		{name: "doctor, Ctrl-C", args: []string{"doctor"}, signal: syscall.SIGINT},
		{name: "tree, terminated", args: []string{"tree"}, signal: syscall.SIGTERM},
		{name: "report, Ctrl-C", args: []string{"report", "-o", "-"}, signal: syscall.SIGINT},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], tt.args...)
			cmd.Env = append(os.Environ(), mainVariable+"=1")
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			// More than a pipe holds: once it is written, the command is reading.
			if _, err := stdin.Write([]byte(whole + strings.Repeat("\n", 1<<20))); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Process.Signal(tt.signal); err != nil {
				t.Fatal(err)
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) {
				t.Fatalf("the command ended with %v, want a signal", err)
			}
			if status, ok := exit.Sys().(syscall.WaitStatus); !ok || status.Signal() != tt.signal {
				t.Errorf("the command ended with %v, want %v", exit, tt.signal)
			}
		})
	}
}
