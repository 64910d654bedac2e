// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// Pushes is the part of a Pushgateway that takes metrics and shows them again,
// each with the labels of the group it was pushed to. It is a
// [github.com/prometheus/client_golang/prometheus.Gatherer].
type Pushes struct {
	mu     sync.Mutex
	groups map[string][]*dto.MetricFamily // By the path of the group.
}

// StartPushes starts the server.
func StartPushes() (p *Pushes, url string, stop func(), err error) {
	p = &Pushes{groups: map[string][]*dto.MetricFamily{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /metrics/job/{group...}", p.receive)
	mux.HandleFunc("PUT /metrics/job/{group...}", p.receive)
	url, stop, err = serve(mux)
	return p, url, stop, err
}

func (p *Pushes) receive(w http.ResponseWriter, r *http.Request) {
	group := "job/" + r.PathValue("group")
	decoder := expfmt.NewDecoder(r.Body, expfmt.ResponseFormat(r.Header))
	var families []*dto.MetricFamily
	for {
		family := &dto.MetricFamily{}
		err := decoder.Decode(family)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		addLabels(family, groupLabels(group))
		families = append(families, family)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.groups[group] = families
}

// Gather returns all families, those of one name from several groups as one.
func (p *Pushes) Gather() ([]*dto.MetricFamily, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	merged := map[string]*dto.MetricFamily{}
	for _, families := range p.groups {
		for _, family := range families {
			m, ok := merged[family.GetName()]
			if !ok {
				m = &dto.MetricFamily{Name: family.Name, Help: family.Help, Type: family.Type, Unit: family.Unit}
				merged[family.GetName()] = m
			}
			m.Metric = append(m.Metric, family.GetMetric()...)
		}
	}
	var all []*dto.MetricFamily
	for _, family := range merged {
		all = append(all, family)
	}
	slices.SortFunc(all, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return all, nil
}

// groupLabels reads the labels of a path such as job/clean/worker/1.
func groupLabels(path string) []*dto.LabelPair {
	var labels []*dto.LabelPair
	parts := strings.Split(path, "/")
	for i := 0; i+1 < len(parts); i += 2 {
		labels = append(labels, &dto.LabelPair{Name: &parts[i], Value: &parts[i+1]})
	}
	return labels
}

func addLabels(family *dto.MetricFamily, labels []*dto.LabelPair) {
	for _, metric := range family.GetMetric() {
		metric.Label = append(metric.Label, labels...)
		slices.SortFunc(metric.Label, func(a, b *dto.LabelPair) int { return cmp.Compare(a.GetName(), b.GetName()) })
	}
}
