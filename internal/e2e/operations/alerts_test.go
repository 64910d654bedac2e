// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package operations_test

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/waybill-go/waybill/internal/e2e/pipeline"
	"github.com/waybill-go/waybill/metrics/dashboards"
	"github.com/waybill-go/waybill/metrics/rules"
)

const (
	hold   = 4 * time.Second  // How long a cause lasts before its alert fires.
	window = 10 * time.Second // How far the alerts look back.
	warmUp = 15 * time.Second // Longer than the window, so that all is normal before the first cause.
	// length is how long the pipelines run, for a replay that is longer than all that
	// the default rules look back and wait.
	length = 90 * time.Minute / stretch
)

// fastRules returns the rules of all alerts, as for production but for the times,
// and for the objectives that only a user knows.
func fastRules(t *testing.T) string {
	t.Helper()
	opts := []rules.Option{
		rules.WithInterval(evaluation),
		rules.WithLatency(time.Second, 10*time.Second),
		rules.WithStoppedAfter(window),
		rules.WithRejectRatio(0.05, 20),
		rules.Backlog("", 5*time.Second),
		// The counts of a process in the second before it ends are not scraped, and each
		// window has a deploy.
		rules.Loss("", hold, 0.2),
		rules.Freshness("killed", 5*time.Second),
		rules.Freshness("nightly", 5*time.Second),
		rules.Freshness("hourly", 5*time.Second),
		rules.Freshness(calm, 5*time.Second),
		rules.Objective("slow", time.Second, 0.99),
		rules.Objective(calm, 10*time.Second, 0.99),
	}
	for _, alert := range rules.Alerts() {
		opts = append(opts, rules.WithFor(alert, hold), rules.WithWindow(alert, window))
	}
	opts = append(opts,
		rules.WithWindow(rules.AlertObjectiveBurn, time.Minute), // The short window is a twelfth of it.
		rules.WithWindow(rules.AlertNotFresh, 5*time.Minute),    // How long the dead are remembered.
		rules.WithWindow(rules.AlertDataLoss, time.Minute),      // As many scrape intervals as by default.
	)
	return generate(t, opts...)
}

func generate(t *testing.T, opts ...rules.Option) string {
	t.Helper()
	groups, err := rules.Default(opts...)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := groups.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	return file.String()
}

// Each alert has a trial, and each trial names panels that exist.
func TestTrials_Complete(t *testing.T) {
	t.Parallel()
	panels, tried := map[string]bool{}, map[string]bool{}
	for _, text := range boards(t) {
		queries, err := dashboards.Queries(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range queries {
			panels[q.Board+" / "+q.Panel] = true
		}
	}
	for _, tr := range trials {
		for _, a := range tr.alarms {
			tried[a.alert] = true
			if !panels[a.panel] {
				t.Errorf("the panel of %s and %s is %q, which is on no board", a.alert, tr.pipeline, a.panel)
			}
		}
	}
	for _, alert := range rules.Alerts() {
		if !tried[alert] {
			t.Errorf("%s has no trial", alert)
		}
	}
}

// TestOperations runs pipelines for two minutes, breaks each of them but one, and
// looks at what the people on call would see.
func TestOperations(t *testing.T) {
	var pipelines, jobs []string
	for _, tr := range trials {
		if tr.isJob {
			jobs = append(jobs, tr.pipeline)
		} else {
			pipelines = append(pipelines, tr.pipeline)
		}
	}
	s := newSite(t, fastRules(t), append(pipelines, broken), jobs)
	s.workers[broken].Set(broken, pipeline.Fail, 0.5)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		s.everyday(done)
	}()
	s.prometheus[0].await(t, fmt.Sprintf(`count_over_time(up{job="pushgateway"}[5m]) >= %d`, warmUp/interval))

	t.Run("alerts", func(t *testing.T) {
		var all sync.WaitGroup // All at once, however many processors there are.
		for _, tr := range trials {
			all.Go(func() { t.Run(tr.pipeline, func(t *testing.T) { s.try(t, tr) }) })
		}
		all.Wait()
	})
	time.Sleep(time.Until(s.started.Add(length)))
	close(done)
	<-ended
	t.Run("nothing else", s.nothingElse)
	for _, p := range s.prometheus {
		t.Run("boards "+p.name, func(t *testing.T) { p.testBoards(t, s.started) })
		t.Run("exemplars "+p.name, func(t *testing.T) { p.testExemplars(t, s.started) })
	}
	t.Run("replays", s.replays)
	s.results.report(t)
}

// try makes the cause of a trial happen, awaits its alerts, takes the cause away,
// and awaits that they are resolved.
func (s *site) try(t *testing.T, tr trial) {
	t.Helper()
	began := time.Now()
	tr.inject(s)
	fired := make([]time.Duration, len(tr.alarms))
	for i, a := range tr.alarms {
		for _, p := range s.prometheus {
			n, ok := s.receiver.await(firing, p.labelsOf(a, s, tr), began, began.Add(time.Minute))
			if !ok {
				t.Errorf("%s: %s does not fire, with %s histograms", tr.cause, a.alert, p.name)
				continue
			}
			fired[i] = max(fired[i], n.at.Sub(began))
			p.punctual(t, n)
		}
	}
	mended := time.Now()
	tr.remove(s)
	for i, a := range tr.alarms {
		var took time.Duration
		for _, p := range s.prometheus {
			n, ok := s.receiver.await(resolved, p.labelsOf(a, s, tr), mended, mended.Add(90*time.Second))
			if !ok {
				t.Errorf("%s: %s is not resolved, with %s histograms", tr.cause, a.alert, p.name)
				continue
			}
			took = max(took, n.at.Sub(mended))
		}
		s.results.add(result{a, tr.cause, fired[i], took})
	}
}

// labelsOf returns the labels of an alarm of p.
func (p *prometheus) labelsOf(a alarm, s *site, tr trial) map[string]string {
	all := with(a.labels, "alertname", a.alert)
	all["histograms"] = p.name
	if a.labels == nil {
		all["instance"] = s.workers[tr.pipeline].Addr()
	}
	return all
}

// punctual checks that the alert was received at most two evaluations after its
// expression had a value for the time that it waits.
func (p *prometheus) punctual(t *testing.T, n notice) {
	t.Helper()
	alerts, err := p.api.Alerts(t.Context())
	if err != nil {
		t.Error(err)
		return
	}
	var since time.Time
	for _, a := range alerts.Alerts {
		if matches(a.Labels, n.Labels) {
			since = a.ActiveAt
		}
	}
	pending := n.at.Sub(since)
	t.Logf("%s was received %s after its expression had a value, with %s histograms", n.Labels["alertname"], pending.Round(time.Millisecond), p.name)
	if limit := hold + 2*evaluation; pending > limit {
		t.Errorf("want at most %s", limit)
	}
}

// matches reports whether the labels of an alert in Prometheus are those of a
// notice, but for the one that it adds when it sends.
func matches(alert model.LabelSet, notice map[string]string) bool {
	for name, value := range alert {
		if notice[string(name)] != string(value) {
			return false
		}
	}
	return len(alert) == len(notice)-1
}

// nothingElse checks that each alert that was received is one of its pipeline, that
// there is none of the calm pipeline, and that all end with their causes.
func (s *site) nothingElse(t *testing.T) {
	allowed := map[string][]string{broken: {rules.AlertErrorRatio, rules.AlertErrorSurge}}
	for _, tr := range trials {
		allowed[tr.pipeline] = slices.Clone(tr.also)
		for _, a := range tr.alarms {
			allowed[tr.pipeline] = append(allowed[tr.pipeline], a.alert)
		}
	}
	got, _ := s.receiver.all()
	seen := map[string]bool{}
	for _, n := range got {
		name, about := n.Labels["alertname"], s.pipelineOf(n.Labels)
		key := fmt.Sprint(name, about, n.Labels["severity"], n.Labels["stage"])
		if n.Status != firing || n.at.Before(s.started) || seen[key] || slices.Contains(allowed[about], name) {
			continue
		}
		seen[key] = true
		t.Errorf("%s fired %s after the start, with the labels %v", name, n.at.Sub(s.started), n.Labels)
	}
	s.prometheus[0].await(t, `count(ALERTS{alertstate="firing"}) == count(ALERTS{alertstate="firing",pipeline="`+broken+`"})`)
}

// pipelineOf returns the pipeline that an alert is about. The topic and the group of
// a pipeline have its name.
func (s *site) pipelineOf(labels map[string]string) string {
	for name, worker := range s.workers {
		if labels["instance"] == worker.Addr() {
			return name
		}
	}
	switch { // Of lost telemetry, only the job is known.
	case labels["label"] != "":
		return "exploding"
	case labels["reason"] != "":
		return "ahead"
	}
	return cmp.Or(labels["pipeline"], labels["topic"], labels["group"])
}

// replays replays what was recorded of the pipeline without a fault under the rules
// as they are for production, slowly enough for them.
func (s *site) replays(t *testing.T) {
	production := generate(t, rules.Freshness(calm, time.Minute), rules.Objective(calm, 10*time.Second, 0.99))
	about := func(name, instances string) []string {
		return []string{
			`{__name__=~"etl_.+",pipeline="` + name + `"}`,
			`{__name__=~"etl_.+",topic="` + name + `"}`,
			`{__name__=~"etl_.+",destination="` + name + `",pipeline=""}`,
			`{__name__=~"etl_memory_.+|etl_telemetry_.+|up",instance=~"` + instances + `"}`,
		}
	}
	p := s.prometheus[0]
	recording := p.record(t, s.started, about(calm, s.workers[calm].Addr()+"|"+s.helper.Addr())...)
	output, took := replay(t, production, recording, s.started)
	if took < length*stretch || output != "" {
		t.Errorf("in %s without a fault, alerts fire:\n%s", took, output)
	}
	// The replay of a fault shows that the one above could have failed.
	recording = p.record(t, s.started, about(broken, s.workers[broken].Addr())...)
	output, _ = replay(t, production, recording, s.started)
	if got := alertsIn(output); !slices.Contains(got, rules.AlertErrorRatio) {
		t.Errorf("in %s of failures, the alerts %q fire, want %s among them:\n%s", took, got, rules.AlertErrorRatio, output)
	}
}
