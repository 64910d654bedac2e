// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

// newBars returns a panel of one horizontal bar for each series, in the order of the
// result.
func newBars(title, unit string, describe description, queries ...query) *panel {
	p := newPanel("bargauge", title, unit, describe, queries...)
	p.FieldConfig.Defaults.Min = new(0.0)
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
