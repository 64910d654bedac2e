// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

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
