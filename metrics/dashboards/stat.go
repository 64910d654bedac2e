// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

// newStat returns a panel that shows the state of each series now, as a number on
// its color. It shows none if there are no series.
func newStat(title, unit, none string, at thresholds, describe description, queries ...query) *panel {
	p := newPanel("stat", title, unit, describe, queries...)
	p.FieldConfig.Defaults.NoValue = none
	p.FieldConfig.Defaults.Thresholds = at
	p.FieldConfig.Defaults.Color.Mode = "thresholds"
	p.Options = statOptions{
		ReduceOptions:          reduced("lastNotNull"),
		Orientation:            "auto",
		TextMode:               "value_and_name",
		ColorMode:              "background",
		GraphMode:              "none",
		JustifyMode:            "auto",
		WideLayout:             true,
		PercentChangeColorMode: "standard",
	}
	return p.instant("time_series")
}

type statOptions struct {
	ReduceOptions          reduceOptions `json:"reduceOptions"`
	Orientation            string        `json:"orientation"`
	TextMode               string        `json:"textMode"`
	ColorMode              string        `json:"colorMode"`
	GraphMode              string        `json:"graphMode"`
	JustifyMode            string        `json:"justifyMode"`
	WideLayout             bool          `json:"wideLayout"`
	ShowPercentChange      bool          `json:"showPercentChange"`
	PercentChangeColorMode string        `json:"percentChangeColorMode"`
}

type reduceOptions struct {
	Calcs  []string `json:"calcs"`
	Fields string   `json:"fields"`
	Values bool     `json:"values"`
}

func reduced(calculation string) reduceOptions { return reduceOptions{Calcs: []string{calculation}} }

// worst makes a stat show the highest value of the shown time instead of the last,
// for what never heals.
func (p *panel) worst() *panel {
	for i := range p.Targets {
		p.Targets[i].Instant, p.Targets[i].Range = false, true
	}
	if options, ok := p.Options.(statOptions); ok {
		options.ReduceOptions = reduced("max")
		p.Options = options
	}
	return p
}
