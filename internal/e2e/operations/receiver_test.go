// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package operations_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// receiver is where Alertmanager posts alerts to, as it would to a pager.
type receiver struct {
	url string

	mu   sync.Mutex
	news chan struct{} // Closed and replaced when something was received.
	got  []notice
}

// notice is a change of an alert.
type notice struct {
	Status string            `json:"status"` // firing or resolved
	Labels map[string]string `json:"labels"`

	at time.Time // When it was received.
}

const (
	firing   = "firing"
	resolved = "resolved"
)

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{news: make(chan struct{})}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// ServeHTTP receives what Alertmanager posts to a webhook.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var body struct {
		Alerts []notice `json:"alerts"`
	}
	if err := json.NewDecoder(req.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range body.Alerts {
		n.at = now
		r.got = append(r.got, n)
	}
	close(r.news)
	r.news = make(chan struct{})
}

// all returns what was received so far, and a channel that is closed when there
// is more.
func (r *receiver) all() ([]notice, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clip(r.got), r.news
}

// await returns the first notice with the status and the labels that is received
// after a time, or reports false at the deadline.
func (r *receiver) await(status string, labels map[string]string, after, deadline time.Time) (notice, bool) {
	late := time.NewTimer(time.Until(deadline))
	defer late.Stop()
	for {
		got, more := r.all()
		for _, n := range got {
			if n.Status == status && n.at.After(after) && contains(n.Labels, labels) {
				return n, true
			}
		}
		select {
		case <-more:
		case <-late.C:
			return notice{}, false
		}
	}
}

// contains reports whether labels has all of some.
func contains(labels, some map[string]string) bool {
	for key, value := range some {
		if got, ok := labels[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// with returns a copy of labels with one more.
func with(labels map[string]string, key, value string) map[string]string {
	all := maps.Clone(labels)
	if all == nil {
		all = map[string]string{}
	}
	all[key] = value
	return all
}
