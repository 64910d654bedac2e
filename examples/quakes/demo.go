// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"

	"github.com/waybill-go/waybill/examples/internal/local"
	"github.com/waybill-go/waybill/metrics"
)

// demo is the process that starts all others: it has the servers, sees that
// the services begin and end in order, and tells what they did.
type demo struct {
	flags
	*supervisor

	id     string // Tells what this run leaves on servers from what others left.
	broker *kafkaAdmin
	db     *mongo.Database
	jobs   batchclient.JobInterface
	traces *local.Traces
	pushes *local.Pushes
	served *metrics.Server // Nil unless a flag asks for it.

	began  time.Time
	events int // How many there are in the catalogue.
	screen *screen
	over   map[string]bool // Which services have ended.
}

// errInterrupted is returned when the demo was stopped by Ctrl-C.
var errInterrupted = errors.New("interrupted")

// runDemo runs the demo until it ends or ctx does.
func runDemo(ctx context.Context, f flags) error {
	d := &demo{flags: f, id: time.Now().Format("20060102-150405"), began: time.Now(), over: map[string]bool{}}
	if err := d.makeDirectories(); err != nil {
		return err
	}
	stopServers, err := d.startServers(ctx)
	defer stopServers()
	if err != nil {
		return cmp.Or(interrupted(ctx), err)
	}
	d.tellStart()
	err = d.runServices(ctx)
	ran, killed := d.stop()
	if err != nil {
		fmt.Println()
		if ctx.Err() != nil {
			d.tellStopped(ran, killed)
		}
		return cmp.Or(interrupted(ctx), err)
	}
	if err := d.tellResult(ctx); err != nil {
		return cmp.Or(interrupted(ctx), err)
	}
	d.serveOn(ctx)
	return nil
}

func interrupted(ctx context.Context) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return nil
}

// makeDirectories makes the places for what the demo writes.
func (d *demo) makeDirectories() (err error) {
	if d.out == "" {
		d.out, err = os.MkdirTemp("", "quakes-")
	} else {
		d.out, err = filepath.Abs(d.out)
	}
	for _, dir := range []string{"logs", "reports"} {
		err = errors.Join(err, os.MkdirAll(filepath.Join(d.out, dir), 0o755))
	}
	return err
}

// runServices starts the services, and tells each to finish when those before
// it have ended.
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
	// A group that still divides its partitions delivers some records twice.
	if err = d.await(ctx, func() (bool, error) { return d.broker.ready(ctx, d.workers) }); err != nil {
		return err
	}
	ingest, err := d.service("ingest", "ingest")
	if err != nil {
		return err
	}
	if err := d.awaitEnd(ctx, "ingest", ingest); err != nil {
		return err
	}
	if err := d.await(ctx, d.allCleaned); err != nil {
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
	return d.await(ctx, func() (bool, error) { return d.jobsEnded(ctx) })
}

// service starts a service as the process called name.
func (d *demo) service(command, name string) (*process, error) {
	return d.start(name, []string{command}, d.env)
}

// tell makes a setting known to all services.
func (d *demo) tell(name, value string) { d.env = append(d.env, name+"="+value) }

// await asks until the answer is yes, a process has failed, or ctx ends, and
// shows the progress meanwhile.
func (d *demo) await(ctx context.Context, ask func() (bool, error)) error {
	for {
		yes, err := ask()
		d.showProgress()
		if yes || err != nil {
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

// awaitEnd waits until the processes of a service have ended.
func (d *demo) awaitEnd(ctx context.Context, service string, processes ...*process) error {
	return d.await(ctx, func() (bool, error) {
		ended, err := allEnded(processes...)
		d.over[service] = ended
		return ended, err
	})
}

// allCleaned reports whether clean has read all that ingest published.
func (d *demo) allCleaned() (bool, error) {
	t := newTally(d.pushes)
	return t.read("transform") >= t.wrote("publish"), nil
}

// jobsEnded reports whether all Jobs of this run have ended. A failed one is an
// error.
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
