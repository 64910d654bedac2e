// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"cmp"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// Pushes implements the part of a Pushgateway that receives metrics. It is a
// [github.com/prometheus/client_golang/prometheus.Gatherer] of these metrics with the
// labels of the groups that they were pushed to.
type Pushes struct {
	mu     sync.Mutex
	groups map[string]map[string]*dto.MetricFamily // By the path of the group, and by name.
	times  map[string]time.Time                    // Of the last push, by the label process.
}

// StartPushes starts the server.
func StartPushes() (p *Pushes, url string, stop func(), err error) {
	p = &Pushes{groups: map[string]map[string]*dto.MetricFamily{}, times: map[string]time.Time{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /metrics/job/{group...}", p.receive)
	mux.HandleFunc("PUT /metrics/job/{group...}", p.receive)
	url, stop, err = serve(mux)
	return p, url, stop, err
}

func (p *Pushes) receive(w http.ResponseWriter, r *http.Request) {
	group := "job/" + r.PathValue("group")
	labels, err := groupLabels(group)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	decoder := expfmt.NewDecoder(r.Body, expfmt.ResponseFormat(r.Header))
	families := map[string]*dto.MetricFamily{}
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
		setLabels(family, labels)
		families[family.GetName()] = family
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.groups[group] == nil || r.Method == http.MethodPut {
		p.groups[group] = map[string]*dto.MetricFamily{}
	}
	maps.Copy(p.groups[group], families) // A POST replaces the families of the same name.
	for _, label := range labels {
		if label.GetName() == "process" {
			p.times[label.GetValue()] = time.Now()
		}
	}
}

// LastPush returns the time of the last push with the label process, or the zero
// time.
func (p *Pushes) LastPush(process string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.times[process]
}

// Gather returns all families. Families of several groups with one name are merged.
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

// groupLabels returns the labels of a path such as job/clean/worker/1, in which a
// value may be in base64: pipeline@base64/YS9i.
func groupLabels(path string) ([]*dto.LabelPair, error) {
	var labels []*dto.LabelPair
	parts := strings.Split(path, "/")
	for i := 0; i+1 < len(parts); i += 2 {
		name, isEncoded := strings.CutSuffix(parts[i], "@base64")
		value := parts[i+1]
		if isEncoded {
			decoded, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(value, "="))
			if err != nil {
				return nil, err
			}
			value = string(decoded)
		}
		labels = append(labels, &dto.LabelPair{Name: &name, Value: &value})
	}
	return labels, nil
}

// setLabels sets labels on all series of a family.
func setLabels(family *dto.MetricFamily, labels []*dto.LabelPair) {
	for _, metric := range family.GetMetric() {
		for _, label := range labels {
			metric.Label = slices.DeleteFunc(metric.Label, func(l *dto.LabelPair) bool { return l.GetName() == label.GetName() })
		}
		metric.Label = append(metric.Label, labels...)
		slices.SortFunc(metric.Label, func(a, b *dto.LabelPair) int { return cmp.Compare(a.GetName(), b.GetName()) })
	}
}
