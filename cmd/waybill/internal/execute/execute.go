// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/internal/envname"
)

// Config describes a job.
type Config struct {
	Command []string // The command and its arguments.
	Name    string   // Of the span, and of the service if nothing else names it; the default is that of the command.

	FromArgs         bool          // A context may be in the arguments, as --traceparent=VALUE.
	Annotations      string        // A file of the downward API; empty for none.
	AnnotationPrefix string        // Of the keys of a context there.
	MaxAge           time.Duration // Of a context that becomes the parent; 0 for no limit.

	Rows       RowsMode
	Args       bool // The arguments are recorded.
	StderrLine bool // The last line of standard error is recorded.

	Grace        time.Duration // Between SIGTERM and SIGKILL; 0 for no SIGKILL.
	FlushTimeout time.Duration
	Push         string // The URL of a Pushgateway, or empty.
	PushJob      string // The default is Name.
	Quiet        bool   // Nothing is said of telemetry that was not sent.
}

// Run runs the command of cfg and returns the code to exit with: the one of the
// command, 128 and the number of the signal that ended it, 126 if it cannot be
// executed, and 127 if there is none. It is 1 if the command succeeds, but what it wrote
// could not be passed on, as to a full disk: alone, the command would have failed.
//
// Run is the last thing that a program does: from then on, it does not end by signals.
func Run(ctx context.Context, cfg Config) int {
	signals := catchSignals()
	cfg.setDefaults()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(cfg.complain))

	began := time.Now()
	environ := os.Environ()
	j, environ := prepare(ctx, &cfg, environ)
	result := run(ctx, &cfg, environ, signals)
	j.end(result)

	if result.pid == 0 {
		say(result.err)
	}
	var tasks []func(context.Context) error
	if j.isSampled() {
		tasks = append(tasks, func(ctx context.Context) error { return j.export(ctx, os.Getenv, cfg.complain) })
	}
	if cfg.Push != "" {
		tasks = append(tasks, func(ctx context.Context) error { return push(ctx, &cfg, result, result.at.Sub(began)) })
	}
	if err := flush(ctx, cfg.FlushTimeout, tasks...); err != nil {
		cfg.complain(err)
	}
	return result.code
}

// complain reports that telemetry fails.
func (cfg *Config) complain(err error) {
	if !cfg.Quiet {
		say(err)
	}
}

func (cfg *Config) setDefaults() {
	if cfg.Name == "" {
		cfg.Name = baseName(cfg.Command[0])
	}
	if cfg.PushJob == "" {
		cfg.PushJob = cfg.Name
	}
}

// baseName returns the name of a command without its directory.
func baseName(command string) string {
	if command == "" {
		return "exec"
	}
	return filepath.Base(command)
}

// prepare starts the span of the job and returns the environment of the command, which
// holds that span. If spans are not exported there is no span, because a command
// must not have a parent that nobody will see: then the environment holds the context
// that the job was started with.
func prepare(ctx context.Context, cfg *Config, environ []string) (j *jobSpan, prepared []string) {
	defer func() { // Telemetry must not keep the command from running.
		if value := recover(); value != nil {
			cfg.complain(fmt.Errorf("panic: %v", value))
			j, prepared = nil, environ
		}
	}()
	folded := envname.Fold(environ)
	remote := findContext(cfg, folded)
	if exports(os.Getenv) {
		started, j := startJob(ctx, cfg, remote)
		return j, inject(started, folded)
	}
	if remote.SpanContext().IsValid() && !hasContext(folded) {
		return nil, inject(remote.Context(ctx), folded)
	}
	return nil, environ
}

// hasContext reports whether environ holds a valid context.
func hasContext(environ []string) bool {
	return envcarrier.ReadFrom(environ).SpanContext().IsValid()
}

// run runs the command until its end.
func run(ctx context.Context, cfg *Config, environ []string, signals <-chan os.Signal) *result {
	reports := openReport(environ)
	if reports != nil {
		environ = setVariable(environ, reports.path)
	}
	streams := newStreams(cfg)
	// The system kills the command when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	child, ended := startCommand(cfg.Command, environ, streams.files)
	streams.started()
	r := &result{ending: ended, at: time.Now()}
	if child != nil {
		r.pid = child.process.Pid
		reapOrphans(r.pid)
		r.ending = child.wait(signals, cfg.Grace)
		r.at = time.Now()
	}
	if err := streams.finish(); err != nil {
		say(err)
		r.loseOutput(err)
	}
	r.rows = reports.finish()
	r.rows.merge(&streams.stdout.rows)
	r.lastLine = streams.stderr.text()
	r.outcome = classify(ctx, r.ending)
	return r
}

// setVariable returns a copy of environ with the variable for reports.
func setVariable(environ []string, path string) []string {
	carrier := envcarrier.Carrier(environ)
	carrier.Set(reportName, path)
	return carrier
}

// say prints one line about the job itself on standard error.
func say(err error) {
	fmt.Fprintln(os.Stderr, "waybill exec:", strings.ReplaceAll(err.Error(), "\n", "; "))
}
