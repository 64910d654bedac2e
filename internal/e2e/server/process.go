// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// process is a server of its own: what it is, and while it runs the process.
type process struct {
	command []string
	env     []string // In addition to the environment of this process.
	dir     string
	ready   func(ctx context.Context) error

	cmd  *exec.Cmd
	gone chan struct{} // closed when cmd has ended.
}

func (p *process) start(ctx context.Context) error {
	log, err := os.OpenFile(p.logName(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the process has its own handle.
	cmd := exec.Command(p.command[0], p.command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, log, log
	cmd.Env = append(cmd.Environ(), p.env...)
	own(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	gone := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its log.
		close(gone)
	}()
	p.cmd, p.gone = cmd, gone
	if err := await(ctx, gone, p.ready); err != nil {
		_ = p.stop()
		return fmt.Errorf("%s: %w; its log ends with:\n%s", p.command[0], err, p.logTail())
	}
	return nil
}

// stop asks the process to end, and insists after a while.
func (p *process) stop() error {
	terminate(p.cmd)
	select {
	case <-p.gone:
		return nil
	case <-time.After(10 * time.Second):
	}
	kill(p.cmd)
	select {
	case <-p.gone:
		return nil
	case <-time.After(10 * time.Second):
		return fmt.Errorf("process %d does not end", p.cmd.Process.Pid)
	}
}

func (p *process) logName() string { return filepath.Join(p.dir, "server.log") }

func (p *process) logTail() []byte {
	const size = 4000
	log, err := os.ReadFile(p.logName())
	if err != nil {
		return []byte(err.Error())
	}
	return log[max(0, len(log)-size):]
}
