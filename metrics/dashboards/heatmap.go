// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

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
