// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package execute

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// passedOn returns the signals that are passed on to the command: those that a
// person, a shell, or an orchestrator sends.
func passedOn() []os.Signal {
	signals := []os.Signal{
		syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGWINCH, syscall.SIGALRM, syscall.SIGABRT, syscall.SIGCONT,
	}
	for s := firstRealtime; s <= lastRealtime; s++ {
		signals = append(signals, syscall.Signal(s))
	}
	return signals
}

func brokenPipe() []os.Signal { return []os.Signal{syscall.SIGPIPE} }

// passedByTerminal reports whether the terminal sends s to the command itself: it
// sends what its keys mean to all processes of the job in its foreground.
func passedByTerminal(s os.Signal) bool {
	if s != syscall.SIGINT && s != syscall.SIGQUIT {
		return false
	}
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	defer terminal.Close()
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && group == syscall.Getpgrp()
}
