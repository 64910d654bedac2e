// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package operations_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-go/waybill/internal/e2e/pipeline"
	"github.com/waybill-go/waybill/internal/e2e/server"
)

// site is everything that runs for a test: pipelines, and what watches them.
type site struct {
	t          testing.TB
	kafka      *server.KafkaServer
	gateway    *server.HTTPServer
	receiver   *receiver
	source     *pipeline.Process
	workers    map[string]*pipeline.Process // By pipeline.
	helper     *pipeline.Process            // The second worker of the calm pipeline.
	jobs       map[string]*schedule         // By pipeline.
	prometheus []*prometheus                // One for each way to scrape.
	started    time.Time
	results    results
}

// newSite starts a worker for each of the pipelines, two for the calm one, and a
// schedule for each of the jobs. Prometheus evaluates the rules.
func newSite(t testing.TB, rules string, pipelines, jobs []string) *site {
	t.Helper()
	s := &site{
		t: t, kafka: server.Kafka(t), gateway: server.Pushgateway(t),
		workers: map[string]*pipeline.Process{}, jobs: map[string]*schedule{},
	}
	all := append([]string{calm}, pipelines...)
	s.kafka.CreateTopics(2, all...)
	s.source = pipeline.Source(t, s.kafka.Addr(), all...)
	s.helper = pipeline.Worker(t, s.kafka.Addr(), calm)
	w := watched{
		targets: map[string]string{"source": s.source.Addr(), "helper": s.helper.Addr()},
		gateway: s.gateway.Addr(), rules: rules,
	}
	for _, name := range all {
		s.workers[name] = pipeline.Worker(t, s.kafka.Addr(), name)
		w.targets[name] = s.workers[name].Addr()
	}
	w.cluster = w.serveCluster(t)
	for _, name := range jobs {
		s.jobs[name] = newSchedule(t, s.gateway.URL(), name)
	}
	for _, name := range all {
		loads(t, s.workers[name])
	}
	s.receiver = newReceiver(t)
	w.alertmanager = startAlertmanager(t, s.receiver.url).Addr()
	for _, histograms := range []string{classic, native} {
		s.prometheus = append(s.prometheus, startPrometheus(t, histograms, w))
	}
	// A Prometheus that starts scrapes after some seconds. Until then a pipeline that
	// is declared is absent.
	for _, p := range s.prometheus {
		p.await(t, fmt.Sprintf("count(up == 1) == %d", len(w.targets)+2))
	}
	s.started = time.Now()
	return s
}

// loads waits until a worker has loaded rows, so that Prometheus sees no pipeline
// that begins.
func loads(t testing.TB, worker *pipeline.Process) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; <-time.After(interval / 10) {
		page, err := get(worker.URL() + "/metrics")
		if strings.Contains(page, "etl_last_success_timestamp_seconds") && strings.Contains(page, `stage="load"`) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the worker loads nothing: %v; its log ends with:\n%s", err, worker.Log())
		}
	}
}

func get(url string) (string, error) {
	resp, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read.
	page, err := io.ReadAll(resp.Body)
	return string(page), err
}

// await waits until an expression has a value.
func (p *prometheus) await(t testing.TB, expr string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; <-time.After(interval / 4) {
		value, err := p.query(expr)
		if err == nil && len(value) > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s has no value: %v", expr, err)
			return
		}
	}
}

// everyday does to the calm pipeline what happens every day, until done is closed:
// its workers are stopped and started one after the other for a deploy, which
// cancels their runs, and then one leaves for a while and comes back.
func (s *site) everyday(done <-chan struct{}) {
	pause := func() bool {
		select {
		case <-time.After(12 * time.Second):
			return true
		case <-done:
			return false
		}
	}
	for pause() {
		for _, worker := range []*pipeline.Process{s.workers[calm], s.helper} {
			worker.Stop()
			worker.Start()
		}
		if !pause() {
			return
		}
		s.helper.Stop()
		more := pause()
		s.helper.Start()
		if !more {
			return
		}
	}
}

// schedule runs a job every few seconds.
type schedule struct {
	mu      sync.Mutex
	stopped bool
	fails   bool
}

func newSchedule(t testing.TB, gateway, name string) *schedule {
	t.Helper()
	s := &schedule{}
	done, ended := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(done); <-ended })
	go func() {
		defer close(ended)
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for {
			s.mu.Lock()
			stopped, fails := s.stopped, s.fails
			s.mu.Unlock()
			switch {
			case stopped:
			case fails:
				pipeline.FailingJob(t, gateway, name)
			default:
				pipeline.Job(t, gateway, name)
			}
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	}()
	return s
}

// set stops the schedule, or lets the jobs fail.
func (s *schedule) set(stopped, fails bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped, s.fails = stopped, fails
}
