// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"

	"github.com/waybill-go/waybill/examples/internal/local"
	"github.com/waybill-go/waybill/metrics"
)

// demo is the process that starts all others. It runs the servers, starts and ends
// the services in order, and prints what they did.
type demo struct {
	flags
	*console
	*supervisor

	id     string // Part of the names that this run uses on servers.
	broker *kafkaAdmin
	db     *mongo.Database
	jobs   batchclient.JobInterface
	traces *local.Traces
	pushes *local.Pushes
	served *metrics.Server // Nil without --metrics.
	shown  *view           // Nil without --view.

	reporter func() reporter // Nil with --databricks.

	temporary bool // Reports whether out is a new directory for temporary files.

	began  time.Time
	events int // The number of events in the catalog.
	screen *screen
	over   map[string]bool // The services that have ended.
}

// runDemo runs the demo until it ends or ctx does.
func runDemo(ctx context.Context, f flags, c *console) error {
	d := &demo{
		flags: f, console: c, id: time.Now().Format("20060102-150405"), began: time.Now(), over: map[string]bool{},
	}
	if err := d.makeDirectories(); err != nil {
		return err
	}
	stopServers, err := d.startServers(ctx)
	if err != nil {
		stopServers()
		d.discard()
		return cmp.Or(context.Cause(ctx), err)
	}
	err = d.serve(ctx)
	stopServers()
	if errors.Is(context.Cause(ctx), errNoReader) {
		d.discard() // Nobody knows where it is.
	}
	return err
}

// serve runs the services on the servers, and prints what they did.
func (d *demo) serve(ctx context.Context) error {
	d.tellStart()
	err := d.runServices(ctx)
	ran, killed := d.stop()
	if err == nil {
		err = d.tellResult(ctx)
	} else if ctx.Err() != nil {
		d.tellStopped(ran, killed)
	}
	if err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	d.serveOn(ctx)
	if errors.Is(context.Cause(ctx), errNoReader) {
		return errNoReader
	}
	return nil
}

// runServices starts the services, and asks each to finish when those before it have
// ended.
func (d *demo) runServices(ctx context.Context) error {
	var workers []*process
	for n := range d.workers {
		worker, err := d.service("clean", "clean-"+strconv.Itoa(n+1))
		if err != nil {
			return err
		}
		workers = append(workers, worker)
	}
	dispatch, err := d.service("dispatch", "dispatch")
	if err != nil {
		return err
	}
	// While a group assigns its partitions, it delivers some records twice.
	if err = d.await(ctx, "the consumer group", func() (bool, error) { return d.broker.ready(ctx, d.workers) }); err != nil {
		return err
	}
	ingest, err := d.service("ingest", "ingest")
	if err != nil {
		return err
	}
	if err := d.awaitEnd(ctx, "ingest", ingest); err != nil {
		return err
	}
	if err := d.await(ctx, "clean to read all messages", d.allCleaned); err != nil {
		return err
	}
	finish(workers...)
	if err := d.awaitEnd(ctx, "clean", workers...); err != nil {
		return err
	}
	finish(dispatch)
	if err := d.awaitEnd(ctx, "dispatch", dispatch); err != nil {
		return err
	}
	return d.await(ctx, "the Jobs to end", func() (bool, error) { return d.jobsEnded(ctx) })
}

// service starts the service command as the process name.
func (d *demo) service(command, name string) (*process, error) {
	return d.start(name, []string{d.program, command}, d.env)
}

// tell adds a setting to the environment of all services.
func (d *demo) tell(name, value string) { d.env = append(d.env, name+"="+value) }

// await calls ask until it returns true, and shows the progress meanwhile. It
// returns an error if a process fails or is silent, if nothing happens while it
// waits for what, if the disk is full, or if ctx ends.
func (d *demo) await(ctx context.Context, what string, ask func() (bool, error)) error {
	last, since := d.progress(), time.Now()
	for {
		yes, err := ask()
		d.showProgress()
		if err != nil {
			return d.cause(err)
		}
		if yes {
			return nil
		}
		if now := d.progress(); now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) > 10*d.timeout {
			return fmt.Errorf("nothing has happened for %v, waiting for %s; the logs are in %s", 10*d.timeout, what, d.logs)
		}
		if err := d.trouble(); err != nil {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case err := <-d.failed:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// trouble returns the reason for which the run cannot succeed any more, or nil.
func (d *demo) trouble() error {
	if err := d.traces.WriteErr(); err != nil {
		return err
	}
	if err := d.logErr(); err != nil {
		return err
	}
	return d.silent(d.timeout, d.pushes.LastPush)
}

// cause returns the failure of a process, if there is one, because it explains more
// than err, which is a consequence. Otherwise it returns err.
func (d *demo) cause(err error) error {
	select {
	case failure := <-d.failed:
		return failure
	case <-time.After(100 * time.Millisecond):
		return err
	}
}

// progress returns counts that change whenever something happens.
func (d *demo) progress() [6]int {
	t := newTally(d.pushes)
	return [...]int{
		t.wrote("publish"), t.read("transform"), t.wrote("load"), t.wrote("dispatch"), t.runs("summarise"), t.runs("write"),
	}
}

// awaitEnd waits until the processes of a service have ended.
func (d *demo) awaitEnd(ctx context.Context, service string, processes ...*process) error {
	return d.await(ctx, service+" to end", func() (bool, error) {
		ended, err := allEnded(processes...)
		d.over[service] = ended
		return ended, err
	})
}

// allCleaned reports whether clean has read all events that ingest published.
func (d *demo) allCleaned() (bool, error) {
	t := newTally(d.pushes)
	return t.read("transform") >= t.wrote("publish"), nil
}

// jobsEnded reports whether all Jobs of this run have ended. It returns an error if
// one has failed.
func (d *demo) jobsEnded(ctx context.Context) (bool, error) {
	list, err := d.jobs.List(ctx, metav1.ListOptions{LabelSelector: labelRun + "=" + d.id})
	if err != nil {
		return false, err
	}
	ended := true
	for _, job := range list.Items {
		if job.Status.Failed > 0 {
			return false, fmt.Errorf("the Job %s failed; see the logs in %s", job.Name, d.logs)
		}
		ended = ended && job.Status.Succeeded > 0
	}
	d.over["assess"], d.over["report"] = ended, ended
	return ended, nil
}
