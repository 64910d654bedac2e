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

// The colors of states can be told apart with any color vision (the palette of
// Okabe and Ito), and in gray by their order from dark to light.
const (
	colorGood    = "#0072B2" // Blue.
	colorWarning = "#E69F00" // Orange.
	colorBad     = "#D55E00" // Vermilion.
	colorNone    = "#7F7F7F" // Gray.
)

// The heights of rows of panels, in units of the grid.
const (
	gridWidth  = 24
	heightStat = 5
	heightPlot = 9
)

// capitalized returns the name of a label for people.
func capitalized(label string) string {
	return strings.ToUpper(label[:1]) + strings.ReplaceAll(label[1:], "_", " ")
}

func ptr[T any](v T) *T { return &v }

// metricsSource and tracesSource are the datasources that the user chooses.
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
		t.Steps = append(t.Steps, step{Value: ptr(value), Color: [...]string{colorWarning, colorBad}[i]})
	}
	return t
}

// noneAllowed returns thresholds that are bad from one on.
func noneAllowed() thresholds {
	return thresholds{Mode: "absolute", Steps: []step{{Color: colorGood}, {Value: ptr(1.0), Color: colorBad}}}
}

// statesBelow returns thresholds of a value that is good if it is high.
func statesBelow(good, warning float64) thresholds {
	return thresholds{Mode: "absolute", Steps: []step{
		{Color: colorBad}, {Value: ptr(warning), Color: colorWarning}, {Value: ptr(good), Color: colorGood},
	}}
}

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

// instant asks for the values at the end of the shown time only.
func (p *panel) instant(format string) *panel {
	for i := range p.Targets {
		p.Targets[i].Instant, p.Targets[i].Range, p.Targets[i].Format = true, false, format
	}
	return p
}

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

// newSeries returns a panel of lines over time.
func newSeries(title, unit string, describe description, queries ...query) *panel {
	p := newPanel("timeseries", title, unit, describe, queries...)
	p.FieldConfig.Defaults.Min = ptr(0.0)
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

// limit draws the thresholds of a panel as lines.
func (p *panel) limit(at thresholds) *panel {
	p.FieldConfig.Defaults.Thresholds = at
	if custom, ok := p.FieldConfig.Defaults.Custom.(seriesStyle); ok {
		custom.ThresholdsStyle.Mode = "dashed"
		p.FieldConfig.Defaults.Custom = custom
	}
	return p
}

// dashed draws the series of the query with a letter as a dashed line.
func (p *panel) dashed(refID string) *panel {
	return p.override("byFrameRefID", refID, property{"custom.lineStyle", object{"fill": "dash", "dash": []int{6, 6}}}, property{"custom.fillOpacity", 0})
}

func (p *panel) override(matcherID, options string, properties ...property) *panel {
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{matcher{matcherID, options}, properties})
	return p
}

// exemplars shows the exemplars of the histograms that the panel queries.
func (p *panel) exemplars() *panel {
	for i := range p.Targets {
		p.Targets[i].Exemplar = true
	}
	return p
}

// newBars returns a panel of one horizontal bar for each series, in the order of the
// result.
func newBars(title, unit string, describe description, queries ...query) *panel {
	p := newPanel("bargauge", title, unit, describe, queries...)
	p.FieldConfig.Defaults.Min = ptr(0.0)
	p.FieldConfig.Defaults.NoValue = "nothing in this time"
	p.FieldConfig.Defaults.Color.Mode = "thresholds"
	p.Options = barOptions{
		ReduceOptions: reduced("lastNotNull"),
		Orientation:   "horizontal",
		DisplayMode:   "basic",
		ValueMode:     "text",
		NamePlacement: "left",
		ShowUnfilled:  true,
		Sizing:        "auto",
		MinVizWidth:   8,
		MinVizHeight:  16,
		MaxVizHeight:  32,
		Legend:        legend{DisplayMode: "list", Placement: "bottom", Calcs: []string{}},
	}
	return p.instant("time_series")
}

type barOptions struct {
	ReduceOptions reduceOptions `json:"reduceOptions"`
	Orientation   string        `json:"orientation"`
	DisplayMode   string        `json:"displayMode"`
	ValueMode     string        `json:"valueMode"`
	NamePlacement string        `json:"namePlacement"`
	ShowUnfilled  bool          `json:"showUnfilled"`
	Sizing        string        `json:"sizing"`
	MinVizWidth   int           `json:"minVizWidth"`
	MinVizHeight  int           `json:"minVizHeight"`
	MaxVizHeight  int           `json:"maxVizHeight"`
	Legend        legend        `json:"legend"`
}

// sortedBy turns the results of two queries with equal labels into bars for the
// values of A in the order of the values of B.
func (p *panel) sortedBy(name string) *panel {
	p.instant("table")
	if options, ok := p.Options.(barOptions); ok {
		options.ReduceOptions = reduceOptions{Calcs: []string{}, Fields: "/^" + name + "$/", Values: true}
		p.Options = options
	}
	p.Transformations = []transformation{
		{"filterFieldsByName", object{"exclude": object{"names": []string{"Time"}}}},
		{"merge", object{}},
		{"sortBy", object{"fields": object{}, "sort": []object{{"field": "Value #B", "desc": false}}}},
		{"organize", object{
			"excludeByName": object{"Value #B": true},
			"indexByName":   object{},
			"renameByName":  object{"Value #A": name},
		}},
	}
	return p
}

// newHeatmap returns a panel of the buckets of a histogram over time.
func newHeatmap(title, unit string, describe description, q query) *panel {
	p := newPanel("heatmap", title, unit, describe, q)
	p.Targets[0].Format = "heatmap"
	p.FieldConfig.Defaults.NoValue = "nothing in this time"
	p.FieldConfig.Defaults.Custom = object{"scaleDistribution": object{"type": "linear"}}
	p.Options = object{
		"calculate":    false,
		"cellGap":      1,
		"cellValues":   object{"unit": unitPerSec},
		"color":        object{"mode": "scheme", "scheme": "Viridis", "fill": "blue", "exponent": 0.5, "steps": 64, "reverse": true},
		"exemplars":    object{"color": colorBad},
		"filterValues": object{"le": 1e-9},
		"legend":       object{"show": true},
		"rowsFrame":    object{"layout": "auto"},
		"showValue":    "never",
		"tooltip":      object{"mode": "single", "yHistogram": false, "showColorScale": true},
		"yAxis":        object{"axisPlacement": "left", "reverse": false, "unit": unit},
	}
	return p
}

// newTable returns a table with a column for each label and for each query, under
// the legend of the query.
func newTable(title, unit string, describe description, columns []string, queries ...query) *panel {
	p := newPanel("table", title, unit, describe, queries...)
	p.FieldConfig.Defaults.NoValue = "nothing in this time"
	p.FieldConfig.Defaults.Color.Mode = "thresholds"
	p.FieldConfig.Defaults.Custom = object{"align": "auto", "cellOptions": object{"type": "auto"}, "inspect": false}
	p.Options = object{"frameIndex": 0, "showHeader": true, "cellHeight": "sm", "sortBy": []object{{"displayName": queries[0].legend, "desc": true}}}
	rename, index := object{}, object{}
	for i, label := range columns {
		rename[label] = capitalized(label)
		index[label] = i
	}
	for i, q := range queries {
		value := "Value #" + string(rune('A'+i))
		rename[value] = q.legend
		index[value] = len(columns) + i
	}
	p.Transformations = []transformation{
		{"filterFieldsByName", object{"exclude": object{"names": []string{"Time"}}}},
		{"merge", object{}},
		{"organize", object{"excludeByName": object{}, "indexByName": index, "renameByName": rename}},
	}
	return p.instant("table")
}

// column sets how a column of a table is shown.
func (p *panel) column(name string, properties ...property) *panel {
	return p.override("byName", name, properties...)
}

// text shows texts instead of values.
func (p *panel) text(values map[string]string) *panel {
	options := make(map[string]mappingResult, len(values))
	for value, text := range values {
		options[value] = mappingResult{Text: text}
	}
	p.FieldConfig.Defaults.Mappings = append(p.FieldConfig.Defaults.Mappings, valueMapping{"value", options})
	return p
}

// textFrom shows a text instead of the values from a number on.
func (p *panel) textFrom(from float64, text string) *panel {
	p.FieldConfig.Defaults.Mappings = append(p.FieldConfig.Defaults.Mappings,
		rangeMapping{"range", mappingRange{From: ptr(from), Result: mappingResult{Text: text, Index: len(p.FieldConfig.Defaults.Mappings)}}})
	return p
}

// between sets the range of the axis.
func (p *panel) between(lowest, highest float64) *panel {
	p.FieldConfig.Defaults.Min, p.FieldConfig.Defaults.Max = ptr(lowest), ptr(highest)
	return p
}

// none sets the text of a panel without series.
func (p *panel) none(text string) *panel {
	p.FieldConfig.Defaults.NoValue = text
	return p
}

func (p *panel) decimals(n int) *panel {
	p.FieldConfig.Defaults.Decimals = ptr(n)
	return p
}

// linked adds links to each series.
func (p *panel) linked(links ...dataLink) *panel {
	p.FieldConfig.Defaults.Links = append(p.FieldConfig.Defaults.Links, links...)
	return p
}
