// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// pushgateway does what a Prometheus Pushgateway does with a push: it keeps
// groups by the labels of their paths, a POST replaces the metrics of a group that
// have the same names, the labels of the group are set on all its series, and a
// push is refused as a whole if it has a timestamp or another type than the gateway
// holds, or if it would make two series of one name and labels.
// https://github.com/prometheus/pushgateway#api
type pushgateway struct {
	types map[string]dto.MetricType // That it holds of others, by name.
	limit int                       // Of the bytes of a body, if above 0.

	mu       sync.Mutex
	requests int
	groups   map[string]map[string]*dto.MetricFamily // By key, then by name.
}

// client returns a client that pushes to g.
func (g *pushgateway) client() *http.Client {
	return &http.Client{Transport: transportFunc(func(request *http.Request) (*http.Response, error) {
		status, text := g.push(request)
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: request}, nil
	})}
}

func (g *pushgateway) push(request *http.Request) (int, string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests++
	labels, err := groupLabels(request.URL.EscapedPath())
	if err != nil {
		return http.StatusBadRequest, err.Error()
	}
	if g.limit > 0 && request.ContentLength > int64(g.limit) {
		return http.StatusRequestEntityTooLarge, "too large"
	}
	pushed := map[string]*dto.MetricFamily{}
	for decoder := expfmt.NewDecoder(request.Body, expfmt.ResponseFormat(request.Header)); ; {
		family := &dto.MetricFamily{}
		if err := decoder.Decode(family); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return http.StatusBadRequest, err.Error()
		}
		if held, ok := g.types[family.GetName()]; ok && held != family.GetType() {
			return http.StatusBadRequest, "pushed metrics are invalid or inconsistent with existing metrics"
		}
		for _, metric := range family.GetMetric() {
			if metric.TimestampMs != nil {
				return http.StatusBadRequest, "pushed metrics must not have timestamps"
			}
			setLabels(metric, labels)
		}
		pushed[family.GetName()] = family
	}
	pushed["push_time_seconds"] = pushTime(labels)

	key := fmt.Sprint(labels)
	group := map[string]*dto.MetricFamily{}
	if request.Method == http.MethodPost {
		maps.Copy(group, g.groups[key])
	}
	maps.Copy(group, pushed)
	groups := maps.Clone(g.groups)
	if groups == nil {
		groups = map[string]map[string]*dto.MetricFamily{}
	}
	groups[key] = group
	if duplicate := duplicateSeries(groups); duplicate != "" {
		return http.StatusBadRequest, "pushed metrics are invalid or inconsistent with existing metrics: " + duplicate
	}
	g.groups = groups
	return http.StatusOK, ""
}

// groupLabels returns the labels of a path, sorted by name.
func groupLabels(path string) ([]*dto.LabelPair, error) {
	path, ok := strings.CutPrefix(path, "/metrics/")
	segments := strings.Split(path, "/")
	if !ok || len(segments)%2 != 0 || strings.TrimSuffix(segments[0], "@base64") != "job" {
		return nil, fmt.Errorf("no group: %q", path)
	}
	var labels []*dto.LabelPair
	for pair := range slices.Chunk(segments, 2) {
		name, isEncoded := strings.CutSuffix(pair[0], "@base64")
		value := pair[1]
		if isEncoded {
			decoded, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(value, "="))
			if err != nil {
				return nil, err
			}
			value = string(decoded)
		}
		labels = append(labels, &dto.LabelPair{Name: new(name), Value: new(value)})
	}
	sortLabels(labels)
	return labels, nil
}

func sortLabels(labels []*dto.LabelPair) {
	slices.SortFunc(labels, func(a, b *dto.LabelPair) int { return cmp.Compare(a.GetName(), b.GetName()) })
}

// setLabels sets the labels of a group on a series of it.
func setLabels(metric *dto.Metric, labels []*dto.LabelPair) {
	for _, label := range labels {
		metric.Label = slices.DeleteFunc(metric.Label, func(l *dto.LabelPair) bool { return l.GetName() == label.GetName() })
		metric.Label = append(metric.Label, label)
	}
	sortLabels(metric.Label)
}

func pushTime(labels []*dto.LabelPair) *dto.MetricFamily {
	now := float64(time.Now().UnixNano()) / 1e9
	return &dto.MetricFamily{
		Name: new("push_time_seconds"), Type: dto.MetricType_GAUGE.Enum(),
		Metric: []*dto.Metric{{Label: labels, Gauge: &dto.Gauge{Value: &now}}},
	}
}

func duplicateSeries(groups map[string]map[string]*dto.MetricFamily) string {
	seen := map[string]bool{}
	for _, group := range groups {
		for name, family := range group {
			for _, metric := range family.GetMetric() {
				// A scrape drops empty labels.
				labels := slices.DeleteFunc(slices.Clone(metric.GetLabel()), func(l *dto.LabelPair) bool { return l.GetValue() == "" })
				key := fmt.Sprint(name, labels)
				if seen[key] {
					return key
				}
				seen[key] = true
			}
		}
	}
	return ""
}

// series returns the series whose names begin with one of prefixes, as
// "name{label="value",...} value", sorted. The label job is left out.
func (g *pushgateway) series(t testing.TB, prefixes ...string) []string {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	var found []string
	for _, group := range g.groups {
		for name, family := range group {
			if !slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
				continue
			}
			for _, metric := range family.GetMetric() {
				var labels []string
				for _, l := range metric.GetLabel() {
					if l.GetName() != "job" && l.GetValue() != "" {
						labels = append(labels, l.GetName()+"="+strconv.Quote(l.GetValue()))
					}
				}
				value := metric.GetGauge().GetValue() + metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
				found = append(found, fmt.Sprintf("%s{%s} %v", name, strings.Join(labels, ","), value))
			}
		}
	}
	slices.Sort(found)
	return found
}
