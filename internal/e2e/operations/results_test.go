// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package operations_test

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// result is what the trial of an alert took.
type result struct {
	alarm
	cause          string
	fired, cleared time.Duration // After the fault began and ended.
}

// results are those of all trials, which run at the same time.
type results struct {
	mu  sync.Mutex
	all []result
}

func (r *results) add(one result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
}

// report prints the results. If UPDATE_DOCS is set and the test has not failed, it
// writes the page of the documentation.
func (r *results) report(t *testing.T) {
	t.Helper()
	slices.SortFunc(r.all, func(a, b result) int {
		return cmp.Or(cmp.Compare(a.alert, b.alert), cmp.Compare(a.cause, b.cause))
	})
	var table strings.Builder
	for _, one := range r.all {
		fmt.Fprintf(&table, "| [%[1]s](runbooks/%[1]s.md) | %[2]s | %.0[3]f | %.0[4]f | %[5]s |\n",
			one.alert, one.cause, one.fired.Seconds(), one.cleared.Seconds(), strings.TrimPrefix(one.panel, "Waybill / "))
	}
	t.Logf("alert, cause, seconds to fire, seconds to resolve, panel:\n%s", table.String())
	if os.Getenv("UPDATE_DOCS") == "" || t.Failed() {
		return
	}
	text := fmt.Sprintf(pageText, hold, window, evaluation, table.String())
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil { //nolint:gosec // It is documentation.
		t.Error(err)
	}
}

const pageText = `# Alerts that were made to fire

A test raises each alert by its real cause, and removes the cause until the alert is resolved. Processes of a pipeline
write to Apache Kafka and read from it, Prometheus scrapes them, and Alertmanager posts to a receiver. Each cause has a
pipeline of its own, and all run at the same time. The test also checks that

- the alert is received at most two evaluations after its expression has had a value for the time in ` + "`for`" + `,
- it is received from a Prometheus that scrapes classic histograms, and from one that scrapes native ones,
- a cause raises no alerts but its own, and those that follow from it,
- a pipeline without a fault raises none, though its workers are deployed and rebalanced meanwhile. Its series are also
  replayed at a forty-fifth of the speed, as an hour and a half, under the default rules.

The times are those of the run that wrote this page, with ` + "`UPDATE_DOCS=1 make e2e`" + `. Its rules wait for %s instead of minutes,
look back %s (EtlDataLoss and EtlObjectiveBurn a minute, EtlNotFresh five) and are evaluated every %s. The time to fire is
from the cause to the receiver, and the time to resolve from the end of the cause; each is that of the slower Prometheus.

| alert | cause | seconds to fire | seconds to resolve | board and panel that show it |
|---|---|---|---|---|
%s`
