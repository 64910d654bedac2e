// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command quakes takes a week of earthquakes through five services, each a
// process of its own, and shows that what they did is one flow.
//
//	ingest    a scheduled run: reads the catalog in MongoDB, publishes to Kafka
//	clean     a consumer group: rejects, transforms, loads into MongoDB
//	dispatch  a poller: creates a Kubernetes Job for each batch of strong quakes
//	assess    the Job: sums up its batch, starts a Databricks run with parameters
//	report    the run: writes the report, in Python where Python is there
//
// It needs no server: a server that no flag names runs in its own process. Compiling
// takes some minutes the first time, while "go run" prints nothing.
//
// demo.go has the order of events; ingest.go, clean.go, dispatch.go, assess.go and
// report.go each have a service, and report.py has the last one in Python.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `quakes takes a week of earthquakes through five services and shows the one flow
they make. It needs no server: a server that no flag names runs in its process.

Usage: go -C examples run ./quakes [flags]

  --workers N          clean with N processes in one consumer group (default 2)
  --out DIR            keep spans, metrics, reports and logs in DIR, in place of
                       those of an earlier run (default: a new directory for
                       temporary files)
  --view[=ADDR]        show the flow live, with the command waybill view, until
                       Ctrl-C; it takes spans at ADDR (default 127.0.0.1:4318),
                       and is started if nothing listens there
  --metrics ADDR       serve the metrics of all processes at ADDR, such as :8000,
                       until Ctrl-C
  --events N           take the first N events only, and at least 15, the first of
                       which is strong (default all)
  --python PATH        run report.py with the interpreter PATH, if it has what
                       requirements.txt beside it lists, and report.go if not
                       (default python3; "none" is report.go)
  --break NAME         plant a fault and show what waybill doctor says of it:
                         inject      ingest publishes messages without a context
                         background  clean handles messages with
                                     context.Background()
                         stale       clean retries messages with the headers they
                                     came with
                         job         dispatch creates Jobs without a context in
                                     their environment
                         end         assess starts a span and never ends it
  --timeout D          end if a process is silent for D, or if nothing happens for
                       ten times as long (default 1m)

Servers of your own:

  --kafka ADDR         a Kafka broker, such as localhost:9092
  --mongo URI          a MongoDB server, such as mongodb://localhost:27017
  --kubeconfig FILE    a cluster for the Jobs; their pods run the command
                       "quakes assess" of the image --image
  --image NAME         the image of the pods (default "quakes")
  --databricks URL     a workspace for the runs; the token is in DATABRICKS_TOKEN
  --databricks-job ID  its job, with the parameters batch, out, traceparent,
                       tracestate and waybill (default 1)
  --otlp URL           a trace backend that takes OTLP over HTTP, such as
                       http://localhost:4318

Ctrl-C ends every process. The exit status is 0 if all went well, or the fault
that was planted was found, 1 if not, 2 for a wrong flag, 130 after Ctrl-C, and
141 if the reader of its output has gone. On a terminal it prints in color,
unless NO_COLOR is set.
`

// flags are the flags of the demo.
type flags struct {
	workers       int
	out           string
	metrics       string
	kafka         string
	mongo         string
	kubeconfig    string
	image         string
	databricks    string
	databricksJob string
	otlp          string
	python        string
	view          viewAddress
	timeout       time.Duration
	limit         int   // The number of events that are taken at most.
	fault         fault // The fault that is planted; the zero fault is none.
}

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	if len(args) > 0 && services[args[0]] != nil {
		return runService(args[0], args[1:])
	}
	f, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(usage)
		return 0
	case err != nil:
		fmt.Fprintf(os.Stderr, "quakes: %v. See --help.\n", err)
		return 2
	}
	err = runInteractive(f)
	switch {
	case errors.Is(err, errInterrupted):
		return 130
	case errors.Is(err, errNoReader):
		return 128 + int(syscall.SIGPIPE)
	case err != nil:
		fmt.Fprintf(os.Stderr, "quakes: %v\n", err)
		return 1
	}
	return 0
}

// The causes for which the context of the demo ends.
var (
	errInterrupted = errors.New("interrupted")
	errNoReader    = errors.New("nobody reads the output")
)

// runInteractive runs the demo until it ends, until Ctrl-C, or until its output cannot
// be written any more. A second Ctrl-C ends the process at once.
func runInteractive(f flags) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		signal.Stop(signals)
		cancel(errInterrupted)
	}()
	// Without this, "| head -3" would end the process at once, and leave files.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return runDemo(ctx, f, newConsole(os.Stdout, func() { cancel(errNoReader) }))
}

// minEvents is the number of events of which one is a strong quake.
const minEvents = 15

func parse(args []string) (flags, error) {
	var f flags
	set := flag.NewFlagSet("quakes", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.IntVar(&f.workers, "workers", 2, "")
	set.StringVar(&f.out, "out", "", "")
	set.StringVar(&f.metrics, "metrics", "", "")
	set.StringVar(&f.kafka, "kafka", "", "")
	set.StringVar(&f.mongo, "mongo", "", "")
	set.StringVar(&f.kubeconfig, "kubeconfig", "", "")
	set.StringVar(&f.image, "image", "quakes", "")
	set.StringVar(&f.databricks, "databricks", "", "")
	set.StringVar(&f.databricksJob, "databricks-job", "1", "")
	set.StringVar(&f.otlp, "otlp", "", "")
	set.StringVar(&f.python, "python", defaultPython, "")
	set.Var(&f.view, "view", "")
	set.DurationVar(&f.timeout, "timeout", time.Minute, "")
	set.IntVar(&f.limit, "events", math.MaxInt, "")
	planted := ""
	set.StringVar(&planted, "break", "", "")
	err := set.Parse(args)
	empty := ""
	set.Visit(func(given *flag.Flag) {
		if given.Value.String() == "" {
			empty = given.Name
		}
	})
	switch {
	case err != nil:
		return f, err
	case empty != "":
		return f, fmt.Errorf("--%s has no value", empty)
	case set.NArg() > 0:
		return f, fmt.Errorf("there is no argument %q", set.Arg(0))
	case f.workers < 1 || f.workers > partitions:
		return f, fmt.Errorf("--workers %d is not from 1 to %d, the number of partitions", f.workers, partitions)
	case f.limit < minEvents:
		return f, fmt.Errorf("--events %d is not at least %d", f.limit, minEvents)
	case f.timeout <= 0:
		return f, fmt.Errorf("--timeout %v is not more than 0", f.timeout)
	case planted != "":
		f.fault, err = faultNamed(planted)
	}
	return f, err
}
