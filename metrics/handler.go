// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

const (
	// maxScrapes is how many scrapes are answered at once. A scraper makes one
	// request at a time, every few seconds.
	maxScrapes    = 8
	scrapeTimeout = 10 * time.Second
)

// Handler returns a handler that answers scrapes with the metrics of gatherer,
// for a server of your own; see [Listen] for one with the limits that a server
// needs.
//
// Scrapes are answered in the OpenMetrics format if they accept it: it is the
// format with exemplars. A gatherer that fails in part is served in part, a panic
// of it is answered with an error, and so is a scrape that takes longer than 10
// seconds or comes while 8 others are gathered. Methods other than GET and HEAD
// are refused. If gatherer is nil, each scrape is answered with an error, which
// the scraper reports as a target that is down.
func Handler(gatherer prometheus.Gatherer) http.Handler {
	if isNil(gatherer) {
		return readOnly(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, errNilGatherer.Error(), http.StatusServiceUnavailable)
		}))
	}
	return readOnly(promhttp.HandlerFor(contained{gatherer}, promhttp.HandlerOpts{
		EnableOpenMetrics:   true,
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
		Timeout:             scrapeTimeout,
		CoalesceGather:      true,
	}))
}

// readOnly refuses methods that do not read.
func readOnly(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// contained is a gatherer that returns its panic as an error.
type contained struct{ prometheus.Gatherer }

func (c contained) Gather() (families []*dto.MetricFamily, err error) {
	defer func() {
		if value := recover(); value != nil {
			families, err = nil, panicked(value)
		}
	}()
	return c.Gatherer.Gather()
}
