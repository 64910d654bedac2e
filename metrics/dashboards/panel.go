// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import "strings"

// Units of Grafana.
const (
	unitSeconds  = "s"
	unitShare    = "percentunit"
	unitCount    = "short"
	unitPerSec   = "cps"
	unitRows     = "rowsps"
	unitErrors   = "eps" // Events a second.
	unitBytes    = "bytes"
	unitBytesSec = "binBps"
)

// The colors of states, from the palette of Okabe and Ito, which can be told apart
// with any color vision.
const (
	colorGood    = "#0072B2" // Blue.
	colorWarning = "#E69F00" // Orange.
	colorBad     = "#D55E00" // Vermilion.
)

// capitalized returns the name of a label for people.
func capitalized(label string) string {
	return strings.ToUpper(label[:1]) + strings.ReplaceAll(label[1:], "_", " ")
}

// metricsSource is the Prometheus that the user chooses.
func metricsSource() datasource {
	return datasource{Type: "prometheus", UID: "${" + varDatasource + "}"}
}

// query is one expression of a panel with the legend of its series.
type query struct {
	expr   string
	legend string
}

// newPanel returns a panel with targets for queries, in the order of their letters.
func newPanel(kind, title, unit string, describe description, queries ...query) *panel {
	p := &panel{
		Type:        kind,
		Title:       title,
		Description: describe.text(),
		Datasource:  metricsSource(),
		FieldConfig: fieldConfig{
			Defaults: fieldDefaults{
				Unit:       unit,
				Color:      color{Mode: "palette-classic"},
				Thresholds: states(),
			},
			Overrides: []override{},
		},
	}
	for i, q := range queries {
		p.Targets = append(p.Targets, target{
			RefID:        string(rune('A' + i)),
			Datasource:   metricsSource(),
			Expr:         q.expr,
			LegendFormat: q.legend,
			EditorMode:   "code",
			Format:       "time_series",
			Range:        true,
		})
	}
	return p
}

// description is what someone reads who does not know a panel.
type description struct {
	shows  string // What the panel shows.
	normal string // What is normal.
	act    string // What to do if it is not.
}

func (d description) text() string {
	return d.shows + "\n\n**Normal:** " + d.normal + "\n\n**If not:** " + d.act
}

// states returns thresholds that begin with good, and become a warning at the first
// value and bad at the second.
func states(at ...float64) thresholds {
	t := thresholds{Mode: "absolute", Steps: []step{{Color: colorGood}}}
	for i, value := range at {
		t.Steps = append(t.Steps, step{Value: new(value), Color: [...]string{colorWarning, colorBad}[i]})
	}
	return t
}

// noneAllowed returns thresholds that are bad from one on.
func noneAllowed() thresholds {
	return thresholds{Mode: "absolute", Steps: []step{{Color: colorGood}, {Value: new(1.0), Color: colorBad}}}
}

// statesBelow returns thresholds of a value that is good if it is high.
func statesBelow(good, warning float64) thresholds {
	return thresholds{Mode: "absolute", Steps: []step{
		{Color: colorBad}, {Value: new(warning), Color: colorWarning}, {Value: new(good), Color: colorGood},
	}}
}

// zeroIsNone shows "none" instead of 0.
func (p *panel) zeroIsNone() *panel {
	p.FieldConfig.Defaults.Mappings = append(p.FieldConfig.Defaults.Mappings,
		valueMapping{"value", map[string]mappingResult{"0": {Text: "none"}}})
	return p
}

// textFrom shows a text instead of the values from a number on.
func (p *panel) textFrom(from float64, text string) *panel {
	p.FieldConfig.Defaults.Mappings = append(p.FieldConfig.Defaults.Mappings,
		rangeMapping{"range", mappingRange{From: new(from), Result: mappingResult{Text: text, Index: len(p.FieldConfig.Defaults.Mappings)}}})
	return p
}

// between sets the range of the axis.
func (p *panel) between(lowest, highest float64) *panel {
	p.FieldConfig.Defaults.Min, p.FieldConfig.Defaults.Max = new(lowest), new(highest)
	return p
}

// none sets the text of a panel without series.
func (p *panel) none(text string) *panel {
	p.FieldConfig.Defaults.NoValue = text
	return p
}

// decimals sets the number of digits behind the point.
func (p *panel) decimals(n int) *panel {
	p.FieldConfig.Defaults.Decimals = new(n)
	return p
}

// linked adds links to each series.
func (p *panel) linked(links ...dataLink) *panel {
	p.FieldConfig.Defaults.Links = append(p.FieldConfig.Defaults.Links, links...)
	return p
}

// instant asks for the values at the end of the shown time only.
func (p *panel) instant(format string) *panel {
	for i := range p.Targets {
		p.Targets[i].Instant, p.Targets[i].Range, p.Targets[i].Format = true, false, format
	}
	return p
}

// exemplars shows the exemplars of the histograms that the panel queries.
func (p *panel) exemplars() *panel {
	for i := range p.Targets {
		p.Targets[i].Exemplar = true
	}
	return p
}

// override sets properties of the series that a matcher selects.
func (p *panel) override(matcherID, options string, properties ...property) *panel {
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{matcher{matcherID, options}, properties})
	return p
}
