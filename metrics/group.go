// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/waybill-go/waybill/internal/safe"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// group is a set of series that a Pushgateway keeps under one key. A push replaces
// the metrics of a group that have the same name, with all their series, so each
// process that pushes to a group must have all series of its metrics.
type group struct {
	key      groupKey
	families []*dto.MetricFamily
}

// groupKey is the labels that all series of a group have, in the order of its
// path.
type groupKey []groupLabel

type groupLabel struct{ name, value string }

const jobLabel = "job"

// stageKey and otherKey are the labels that identify the owner of a series. The key
// of a group has stageKey if the series belongs to a stage. Otherwise it has the
// labels of otherKey that the series has. The remaining labels distinguish the
// series of one owner.
var (
	stageKey = [...]string{series.Pipeline, series.Stage}
	otherKey = [...]string{series.Topic, series.Collection, series.Destination, series.Carrier, series.Direction, series.Operation, series.Reason}
)

// unpushed are the metrics of this package that are not pushed: no process has the
// lag of all partitions, and nobody would delete the lag of a partition that another
// process reads now.
var unpushed = []series.Metric{series.KafkaLag, series.KafkaCommittedLag, series.KafkaLastFetch}

// isOneOf reports whether family is one of metrics, in any namespace.
func isOneOf(metrics []series.Metric, family *dto.MetricFamily) bool {
	return slices.ContainsFunc(metrics, func(m series.Metric) bool { return strings.HasSuffix(family.GetName(), "_"+m.Name) })
}

// groupsOf returns the groups of the series of families. The group of base is the
// first, even if it is empty. The returned families are new; they share the series.
func groupsOf(base groupKey, families []*dto.MetricFamily) []group {
	groups := []group{{key: base}}
	index := map[string]int{base.path(): 0}
	for _, family := range families {
		if isOneOf(unpushed, family) {
			continue
		}
		isOwn := isOneOf(series.All(), family)
		for _, metric := range family.GetMetric() {
			key := base
			if isOwn {
				key = keyOf(base, metric)
			}
			path := key.path()
			i, ok := index[path]
			if !ok {
				i = len(groups)
				index[path] = i
				groups = append(groups, group{key: key})
			}
			groups[i].add(family, metric)
		}
	}
	return groups
}

// add adds a series of family.
func (g *group) add(family *dto.MetricFamily, metric *dto.Metric) {
	if n := len(g.families); n == 0 || g.families[n-1].GetName() != family.GetName() {
		g.families = append(g.families, &dto.MetricFamily{Name: family.Name, Help: family.Help, Type: family.Type, Unit: family.Unit})
	}
	last := g.families[len(g.families)-1]
	last.Metric = append(last.Metric, metric)
}

// keyOf returns the key of the group of a series. A Pushgateway sets the labels of
// the key on the series, which has them already.
func keyOf(base groupKey, metric *dto.Metric) groupKey {
	names := otherKey[:]
	if valueOf(metric, series.Pipeline) != "" {
		names = stageKey[:]
	}
	key := slices.Clip(base)
	for _, name := range names {
		if value := valueOf(metric, name); value != "" {
			key = append(key, groupLabel{name, value})
		}
	}
	return key
}

// valueOf returns the value of a label, or the empty string if there is none,
// which is the same to Prometheus.
func valueOf(metric *dto.Metric, name string) string {
	for _, label := range metric.GetLabel() {
		if label.GetName() == name {
			return label.GetValue()
		}
	}
	return ""
}

// check returns an error if the metrics of this package have a label of k as a
// constant label, or as a label of their registerer: then none of them can be
// pushed. It looks at one metric that every [Metrics] has from the start.
func (k groupKey) check(families []*dto.MetricFamily) error {
	for _, family := range families {
		if !isOneOf([]series.Metric{series.LabelOverflow}, family) {
			continue
		}
		if label := k.labelOf(family); label != "" {
			return fmt.Errorf("the metric %s has the grouping label %q already", family.GetName(), label)
		}
	}
	return nil
}

// fit returns the families that a Pushgateway accepts unchanged, and, for each of
// the others, a text with its name and the reason.
func (k groupKey) fit(families []*dto.MetricFamily) (fit []*dto.MetricFamily, leftOut []string) {
	for _, family := range families {
		label := k.labelOf(family)
		switch {
		case family == nil:
		case label != "":
			leftOut = append(leftOut, fmt.Sprintf("%s has the grouping label %q", family.GetName(), label))
		case slices.ContainsFunc(family.GetMetric(), isStamped):
			leftOut = append(leftOut, family.GetName()+" has a timestamp")
		default:
			fit = append(fit, family)
		}
	}
	return fit, leftOut
}

// isStamped reports whether metric has a timestamp of its own, even one of 0.
func isStamped(metric *dto.Metric) bool { return metric != nil && metric.TimestampMs != nil }

// labelOf returns the first label of k that a series of family has, or the empty
// string. A Pushgateway would replace its value.
func (k groupKey) labelOf(family *dto.MetricFamily) string {
	for _, metric := range family.GetMetric() {
		for _, label := range k {
			if valueOf(metric, label.name) != "" {
				return label.name
			}
		}
	}
	return ""
}

// pushFormat is the format of the body of a push.
var pushFormat = expfmt.NewFormat(expfmt.TypeProtoDelim)

// encode returns the body of a push of g. It returns a panic of the encoder, which
// a malformed family causes, as an error.
func (g group) encode() (body *bytes.Buffer, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = panicked(value)
		}
	}()
	body = &bytes.Buffer{}
	encoder := expfmt.NewEncoder(body, pushFormat)
	for _, family := range g.families {
		if err := encoder.Encode(family); err != nil {
			return nil, err
		}
	}
	return body, nil
}

// prefix returns the beginning of an error about g: the name of its metric, if it
// has only one.
func (g group) prefix() string {
	if len(g.families) != 1 {
		return ""
	}
	return g.families[0].GetName() + ": "
}

// halves returns g as two groups of the same key.
func (g group) halves() []group {
	middle := len(g.families) / 2
	return []group{{g.key, g.families[:middle]}, {g.key, g.families[middle:]}}
}

// path returns the path of the group under /metrics. A value that a URL would not
// show as it is is written in base64, as a Pushgateway reads it.
func (k groupKey) path() string {
	var path strings.Builder
	for _, label := range k {
		path.WriteString("/" + label.name)
		if isPlain(label.value) {
			path.WriteString("/" + label.value)
		} else {
			path.WriteString("@base64/" + base64.RawURLEncoding.EncodeToString([]byte(label.value)))
		}
	}
	return path.String()
}

// isPlain reports whether value is a segment of a path as it is.
func isPlain(value string) bool {
	return value != "." && value != ".." && !strings.ContainsFunc(value, func(r rune) bool {
		return r != '-' && r != '_' && r != '.' && r != '~' &&
			(r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// printable returns text as one line of at most limit bytes, in which characters
// that do not print are escaped.
func printable(text string, limit int) string {
	var line strings.Builder
	for _, r := range safe.Text(text, limit) {
		if unicode.IsPrint(r) {
			line.WriteRune(r)
		} else {
			quoted := strconv.QuoteRune(r)
			line.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return safe.Text(line.String(), limit)
}
