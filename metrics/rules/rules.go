// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// Groups are the groups of rules of one file.
type Groups []Group

// Group is a list of rules that Prometheus evaluates together.
type Group struct {
	Name     string
	Interval time.Duration // Between evaluations; 0 for that of the server.
	Rules    []Rule
}

// Rule is an alerting rule, or a recording rule if Record is not empty.
type Rule struct {
	Record string // The name of the series that is recorded.
	Alert  string // The name of the alert.
	Expr   string // In PromQL.
	// For is how long the expression has had a value when the alert fires.
	For         time.Duration
	Labels      map[string]string
	Annotations map[string]string // Templates of Prometheus.
}

// Default returns the rules of all alerts, with the thresholds and limits of opts.
// If an option has an argument that makes no sense, such as a negative share,
// Default returns an error that names it, and no rules.
//
// The rules are the same for the same options, to the byte. The caller may modify
// them.
func Default(opts ...Option) (Groups, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	all := Groups{
		{Name: "waybill-stages", Rules: slices.Concat(c.errorRatio(), c.errorSurge(), c.stageStuck(), c.rejectRatio())},
		{Name: "waybill-freshness", Rules: slices.Concat(c.notFresh(), c.watermarkStuck(), c.latency())},
		{Name: "waybill-kafka", Rules: slices.Concat(c.backlog(), c.dataLoss())},
		{Name: "waybill-processes", Rules: slices.Concat(c.memory(), c.telemetryLost())},
		{Name: "waybill-objectives", Rules: c.objectiveBurn()},
	}
	var groups Groups
	for _, group := range all {
		group.Interval = c.interval
		group.Rules = slices.DeleteFunc(group.Rules, func(r Rule) bool { return slices.Contains(c.without, r.Alert) })
		if len(group.Rules) > 0 {
			groups = append(groups, group)
		}
	}
	return groups, nil
}

// signalLabel is the label that tells apart what an alert has noticed, if it can
// notice several things.
const signalLabel = "signal"

// alert is what the rules of an alert are made from.
type alert struct {
	name     string
	severity severity
	hold     time.Duration // Unless [WithFor] sets another.
	signal   string        // Tells the rules of one alert and severity apart; may be empty.
	declared []string      // The name and value of a label that the rule is for; may be empty.
	expr     string

	variables []string // Labels of the value of expr that are variables of the board.

	summary, description string
	board                string
}

// rule returns the rule of an alert.
func (c config) rule(a alert) Rule {
	labels := map[string]string{}
	for name, value := range c.labels {
		labels[name] = literal(value)
	}
	labels["severity"] = literal(c.severities[a.severity])
	if a.signal != "" {
		labels[signalLabel] = a.signal
	}
	for i := 0; i+1 < len(a.declared); i += 2 {
		labels[a.declared[i]] = literal(a.declared[i+1])
	}
	hold := a.hold
	if d, ok := c.holds[a.name]; ok {
		hold = d
	}
	return Rule{
		Alert: a.name, Expr: a.expr, For: hold, Labels: labels,
		Annotations: map[string]string{
			"summary":     a.summary,
			"description": a.description,
			"runbook_url": literal(c.runbooks) + "/" + a.name + ".md",
			"dashboard":   literal(c.dashboards) + "/d/" + series.BoardUID(a.board, c.namespace) + query(slices.Concat(a.variables, c.grouping)),
		},
	}
}

// of returns a label and its value, or nothing if the value is empty.
func of(label, value string) []string {
	if value == "" {
		return nil
	}
	return []string{label, value}
}

// query returns the query of a link to a board that sets its variables to the
// labels of an alert.
func query(labels []string) string {
	var text strings.Builder
	for _, label := range labels {
		separator := "&"
		if text.Len() == 0 {
			separator = "?"
		}
		text.WriteString(separator + "var-" + url.QueryEscape(label) + "={{ urlquery $labels." + label + " }}")
	}
	return text.String()
}

// literal returns text as a template of Prometheus that expands to it.
func literal(text string) string { return strings.ReplaceAll(text, "{{", `{{"{{"}}`) }
