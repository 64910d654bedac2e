// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// gracePeriod is the time in which a process must end before it is killed.
const gracePeriod = 5 * time.Second

// supervisor starts a process for each service, which is this program again or
// report.py, and ends all these processes when the demo ends.
//
// Each process is the head of its own process group, so Ctrl-C reaches only the
// supervisor. Its standard input is a pipe, which closes even if the supervisor
// is killed.
type supervisor struct {
	program string   // The file of this program.
	logs    string   // The directory of the log files.
	env     []string // The environment of the services.

	failed chan error // Receives the first failure of a process.

	mu        sync.Mutex
	processes []*process
	stopping  bool
}

// process is one running service.
type process struct {
	name    string
	log     *processLog
	cmd     *exec.Cmd
	stdin   io.Closer
	started time.Time
	ended   chan struct{}
	err     error // To be read after ended is closed.
}

func newSupervisor(program, logs string) *supervisor {
	return &supervisor{program: program, logs: logs, failed: make(chan error, 1)}
}

// launch is a local.Launch. It starts this program with args, and returns a
// function that waits for its end. If env is nil, the environment of the services
// is used.
func (s *supervisor) launch(name string, args, env []string) (wait func() error, err error) {
	if env == nil {
		env = s.env
	}
	return s.launchCommand(name, append([]string{s.program}, args...), env)
}

// launchCommand is launch of another program, with which command begins.
func (s *supervisor) launchCommand(name string, command, env []string) (wait func() error, err error) {
	p, err := s.start(name, command, env)
	if err != nil {
		return nil, err
	}
	return func() error { <-p.ended; return p.err }, nil
}

// start starts the program with which command begins.
func (s *supervisor) start(name string, command, env []string) (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, errStopping
	}
	log, err := newProcessLog(filepath.Join(s.logs, name+".log"))
	if err != nil {
		return nil, err
	}
	p := &process{name: name, log: log, cmd: exec.Command(command[0], command[1:]...), started: time.Now(), ended: make(chan struct{})}
	p.cmd.Env = append(slices.Clone(env), envInstance+"="+name, envSupervised+"=1")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = ownGroup()
	p.cmd.WaitDelay = gracePeriod
	if p.stdin, err = p.cmd.StdinPipe(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		log.close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	s.processes = append(s.processes, p)
	go s.wait(p)
	return p, nil
}

var errStopping = errors.New("the demo is stopping")

// wait waits for the end of p and reports its failure.
func (s *supervisor) wait(p *process) {
	err := p.cmd.Wait()
	p.log.close()
	if err != nil {
		p.err = fmt.Errorf("%s ended with %w\n%s", p.name, err, p.log.end())
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

// signal sends sig to the process group of p, if p has not ended.
func (p *process) signal(sig syscall.Signal) {
	if !p.hasEnded() {
		signalGroup(p.cmd.Process, sig)
	}
}

// allEnded reports whether processes have ended, and returns the failure of the first
// one that failed.
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

// silent returns an error that names the first running process that has pushed no
// metrics for longer than limit. Heard returns the time of the last push.
func (s *supervisor) silent(limit time.Duration, heard func(process string) time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.processes {
		last := p.started
		if at := heard(p.name); at.After(last) {
			last = at
		}
		if !p.hasEnded() && time.Since(last) > limit {
			return fmt.Errorf("%s (process %d) has been silent for %v: it hangs or was stopped\n%s",
				p.name, p.cmd.Process.Pid, limit, p.log.end())
		}
	}
	return nil
}

// logErr returns the first error of a log that cannot be kept, or nil.
func (s *supervisor) logErr() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.processes {
		if err := p.log.writeErr(); err != nil {
			return fmt.Errorf("the log of %s cannot be kept: %w", p.name, err)
		}
	}
	return nil
}

// stop ends all processes that run, and prevents others from being started. It
// returns how many ran, and how many of them had to be killed.
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
