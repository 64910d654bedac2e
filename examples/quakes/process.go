// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// gracePeriod is how long a process may take to end by itself.
const gracePeriod = 5 * time.Second

// supervisor starts this program again, once for each service, and ends all
// these processes when the demo does.
//
// Each process is the head of a process group of its own, so that Ctrl-C
// reaches only the supervisor, and gets a pipe as its standard input, which
// closes even if the supervisor is killed.
type supervisor struct {
	logs string   // The directory of the log files.
	env  []string // The environment of the services.

	failed chan error // Gets the first failure of a process.

	mu        sync.Mutex
	processes []*process
	stopping  bool
}

// process is one running service.
type process struct {
	name  string
	log   string
	cmd   *exec.Cmd
	stdin io.Closer
	ended chan struct{}
	err   error // To be read after ended is closed.
}

func newSupervisor(logs string) *supervisor {
	return &supervisor{logs: logs, failed: make(chan error, 1)}
}

// launch is [local.Launch]: it starts this program with args and returns what
// waits for its end. A nil env is that of the services.
func (s *supervisor) launch(name string, args, env []string) (wait func() error, err error) {
	if env == nil {
		env = s.env
	}
	p, err := s.start(name, args, env)
	if err != nil {
		return nil, err
	}
	return func() error { <-p.ended; return p.err }, nil
}

// start starts this program with args.
func (s *supervisor) start(name string, args, env []string) (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, errStopping
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(s.logs, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // The process has its own copy.

	p := &process{name: name, log: log.Name(), cmd: exec.Command(self, args...), ended: make(chan struct{})}
	p.cmd.Env = append(slices.Clone(env), envInstance+"="+name, envSupervised+"=1")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = ownGroup()
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	s.processes = append(s.processes, p)
	go s.wait(p)
	return p, nil
}

var errStopping = errors.New("the demo is stopping")

// wait waits for the end of p and tells of its failure.
func (s *supervisor) wait(p *process) {
	if err := p.cmd.Wait(); err != nil {
		p.err = fmt.Errorf("%s ended with %w\n%s\nIts log is %s", p.name, err, tail(p.log, 5), p.log)
	}
	close(p.ended)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.err != nil && !s.stopping {
		select {
		case s.failed <- p.err:
		default:
		}
	}
}

// finish asks processes to finish their work and end.
func finish(processes ...*process) {
	for _, p := range processes {
		p.signal(syscall.SIGTERM)
	}
}

// hasEnded reports whether p has ended.
func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// signal sends sig to p and all that it has started, if it has not ended.
func (p *process) signal(sig syscall.Signal) {
	if !p.hasEnded() {
		signalGroup(p.cmd.Process, sig)
	}
}

// allEnded reports whether processes have ended, and the failure of the first
// that failed.
func allEnded(processes ...*process) (bool, error) {
	for _, p := range processes {
		if !p.hasEnded() {
			return false, nil
		}
		if p.err != nil {
			return false, p.err
		}
	}
	return true, nil
}

// stop ends all processes that run, and lets no more start. It returns how many
// ran, and how many of them had to be killed.
func (s *supervisor) stop() (ran, killed int) {
	s.mu.Lock()
	s.stopping = true
	running := slices.DeleteFunc(slices.Clone(s.processes), (*process).hasEnded)
	s.mu.Unlock()

	for _, p := range running {
		p.signal(syscall.SIGINT)
	}
	ctx, cancel := context.WithTimeout(context.Background(), gracePeriod)
	defer cancel()
	for _, p := range running {
		select {
		case <-p.ended:
		case <-ctx.Done():
			p.signal(syscall.SIGKILL)
			<-p.ended
			killed++
		}
	}
	return len(running), killed
}

// tail returns the last n lines of a file, indented.
func tail(file string, n int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "  " + err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-n):], "\n  ")
}
