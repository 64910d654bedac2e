// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

// newSeries returns a panel of lines over time.
func newSeries(title, unit string, describe description, queries ...query) *panel {
	p := newPanel("timeseries", title, unit, describe, queries...)
	p.FieldConfig.Defaults.Min = new(0.0)
	p.FieldConfig.Defaults.NoValue = "nothing in this time"
	p.FieldConfig.Defaults.Custom = seriesStyle{
		DrawStyle: "line", LineInterpolation: "linear", LineWidth: 1, FillOpacity: 5, ShowPoints: "auto", PointSize: 4,
		Stacking: stacking{Mode: "none", Group: "A"}, ThresholdsStyle: style{Mode: "off"},
	}
	p.Options = seriesOptions{
		Legend:  legend{ShowLegend: true, DisplayMode: "table", Placement: "bottom", Calcs: []string{"lastNotNull", "max"}},
		Tooltip: tooltip{Mode: "multi", Sort: "desc"},
	}
	return p
}

type seriesStyle struct {
	DrawStyle         string   `json:"drawStyle"`
	LineInterpolation string   `json:"lineInterpolation"`
	LineWidth         int      `json:"lineWidth"`
	FillOpacity       int      `json:"fillOpacity"`
	ShowPoints        string   `json:"showPoints"`
	PointSize         int      `json:"pointSize"`
	SpanNulls         bool     `json:"spanNulls"`
	Stacking          stacking `json:"stacking"`
	ThresholdsStyle   style    `json:"thresholdsStyle"`
}

type stacking struct {
	Mode  string `json:"mode"`
	Group string `json:"group"`
}

type style struct {
	Mode string `json:"mode"`
}

type seriesOptions struct {
	Legend  legend  `json:"legend"`
	Tooltip tooltip `json:"tooltip"`
}

type legend struct {
	ShowLegend  bool     `json:"showLegend"`
	DisplayMode string   `json:"displayMode"`
	Placement   string   `json:"placement"`
	Calcs       []string `json:"calcs"`
}

type tooltip struct {
	Mode string `json:"mode"`
	Sort string `json:"sort"`
}

// stacked puts the series on top of each other.
func (p *panel) stacked() *panel {
	if custom, ok := p.FieldConfig.Defaults.Custom.(seriesStyle); ok {
		custom.Stacking.Mode, custom.FillOpacity = "normal", 40
		p.FieldConfig.Defaults.Custom = custom
	}
	return p
}

// dashed draws the series of the query with a letter as a dashed line.
func (p *panel) dashed(refID string) *panel {
	return p.override("byFrameRefID", refID, property{"custom.lineStyle", object{"fill": "dash", "dash": []int{6, 6}}}, property{"custom.fillOpacity", 0})
}
