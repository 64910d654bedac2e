// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"bytes"
	"encoding/json"
)

// schemaVersion is the newest version of Grafana's classic schema of dashboards,
// which every release from 11 on reads, and 13 converts when it loads it.
const schemaVersion = 42

// dashboard and the types below marshal to the classic schema of Grafana. They have
// only the fields that the boards use; Grafana fills in the rest.
type dashboard struct {
	ID            *int64     `json:"id"` // Always null: the ids of one Grafana mean nothing to another.
	UID           string     `json:"uid"`
	Title         string     `json:"title"`
	Description   string     `json:"description"`
	Tags          []string   `json:"tags"`
	Timezone      string     `json:"timezone"`
	Editable      bool       `json:"editable"`
	GraphTooltip  int        `json:"graphTooltip"` // 1 shares the crosshair.
	SchemaVersion int        `json:"schemaVersion"`
	Refresh       string     `json:"refresh"`
	Time          timeRange  `json:"time"`
	Links         []link     `json:"links"`
	Annotations   list[any]  `json:"annotations"`
	Templating    list[any]  `json:"templating"`
	Panels        []anyPanel `json:"panels"`
}

type timeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type list[T any] struct {
	List []T `json:"list"`
}

// link is a link of a dashboard or a panel.
type link struct {
	Title       string   `json:"title"`
	Type        string   `json:"type"`
	Icon        string   `json:"icon"`
	Tooltip     string   `json:"tooltip"`
	URL         string   `json:"url"`
	Tags        []string `json:"tags"`
	AsDropdown  bool     `json:"asDropdown"`
	TargetBlank bool     `json:"targetBlank"`
	IncludeVars bool     `json:"includeVars"`
	KeepTime    bool     `json:"keepTime"`
}

// dataLink is a link of each series of a panel.
type dataLink struct {
	Title       string `json:"title"`
	URL         string `json:"url"`
	TargetBlank bool   `json:"targetBlank"`
}

// datasource refers to a datasource by the name of a variable.
type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type datasourceVariable struct {
	Type        string   `json:"type"`
	Name        string   `json:"name"`
	Label       string   `json:"label"`
	Description string   `json:"description"`
	Query       string   `json:"query"` // The type of the datasource.
	Regex       string   `json:"regex"`
	Refresh     int      `json:"refresh"`
	Options     []option `json:"options"`
	Hide        int      `json:"hide"`
}

type queryVariable struct {
	Type        string        `json:"type"`
	Name        string        `json:"name"`
	Label       string        `json:"label"`
	Description string        `json:"description"`
	Datasource  datasource    `json:"datasource"`
	Query       variableQuery `json:"query"`
	Regex       string        `json:"regex"`
	Refresh     int           `json:"refresh"` // 2 asks again when the range of time changes.
	Sort        int           `json:"sort"`    // 1 sorts by the alphabet.
	Multi       bool          `json:"multi"`
	IncludeAll  bool          `json:"includeAll"`
	AllValue    string        `json:"allValue"`
	Current     option        `json:"current"`
	Options     []option      `json:"options"`
	Hide        int           `json:"hide"`
}

type variableQuery struct {
	Query string `json:"query"`
	RefID string `json:"refId"`
}

type annotation struct {
	Name        string     `json:"name"`
	Datasource  datasource `json:"datasource"`
	Enable      bool       `json:"enable"`
	IconColor   string     `json:"iconColor"`
	Expr        string     `json:"expr"`
	TitleFormat string     `json:"titleFormat"`
	TextFormat  string     `json:"textFormat"`
	Step        string     `json:"step"`
}

type option struct {
	Selected bool     `json:"selected"`
	Text     []string `json:"text"`
	Value    []string `json:"value"`
}

// anyPanel is a panel or a rowPanel.
type anyPanel interface{ place(gridPos) }

type gridPos struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

// rowPanel is the heading of the panels below it. The panels of a collapsed row are
// inside it, and are not queried before it is opened.
type rowPanel struct {
	ID        int      `json:"id"`
	Type      string   `json:"type"`
	Title     string   `json:"title"`
	Collapsed bool     `json:"collapsed"`
	GridPos   gridPos  `json:"gridPos"`
	Panels    []*panel `json:"panels"`
}

type panel struct {
	ID              int              `json:"id"`
	Type            string           `json:"type"`
	Title           string           `json:"title"`
	Description     string           `json:"description"`
	Datasource      datasource       `json:"datasource"`
	GridPos         gridPos          `json:"gridPos"`
	FieldConfig     fieldConfig      `json:"fieldConfig"`
	Options         any              `json:"options"`
	Targets         []target         `json:"targets"`
	Transformations []transformation `json:"transformations,omitempty"`
	Links           []link           `json:"links,omitempty"`
}

func (p *panel) place(at gridPos)    { p.GridPos = at }
func (r *rowPanel) place(at gridPos) { r.GridPos = at }

// target is one query of a panel.
type target struct {
	RefID        string     `json:"refId"`
	Datasource   datasource `json:"datasource"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat"`
	EditorMode   string     `json:"editorMode"`
	Format       string     `json:"format"`
	Instant      bool       `json:"instant"`
	Range        bool       `json:"range"`
	Exemplar     bool       `json:"exemplar"`
}

type transformation struct {
	ID      string `json:"id"`
	Options any    `json:"options"`
}

type fieldConfig struct {
	Defaults  fieldDefaults `json:"defaults"`
	Overrides []override    `json:"overrides"`
}

type fieldDefaults struct {
	Unit       string     `json:"unit"`
	Decimals   *int       `json:"decimals,omitempty"`
	Min        *float64   `json:"min,omitempty"`
	Max        *float64   `json:"max,omitempty"`
	NoValue    string     `json:"noValue,omitempty"`
	Color      color      `json:"color"`
	Thresholds thresholds `json:"thresholds"`
	Mappings   []any      `json:"mappings,omitempty"`
	Links      []dataLink `json:"links,omitempty"`
	Custom     any        `json:"custom,omitempty"`
}

type color struct {
	Mode string `json:"mode"`
}

type thresholds struct {
	Mode  string `json:"mode"`
	Steps []step `json:"steps"`
}

type step struct {
	Value *float64 `json:"value"` // Null for the lowest.
	Color string   `json:"color"`
}

// valueMapping shows a text instead of a value.
type valueMapping struct {
	Type    string                   `json:"type"`
	Options map[string]mappingResult `json:"options"`
}

// rangeMapping shows a text instead of the values of a range.
type rangeMapping struct {
	Type    string       `json:"type"`
	Options mappingRange `json:"options"`
}

type mappingRange struct {
	From   *float64      `json:"from"`
	To     *float64      `json:"to"`
	Result mappingResult `json:"result"`
}

type mappingResult struct {
	Text  string `json:"text"`
	Index int    `json:"index"`
}

type override struct {
	Matcher    matcher    `json:"matcher"`
	Properties []property `json:"properties"`
}

type matcher struct {
	ID      string `json:"id"`
	Options string `json:"options"`
}

type property struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}

// object is a JSON object that only one panel has.
type object map[string]any

// marshal returns d as JSON for a file.
func (d *dashboard) marshal() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // Expressions have comparisons.
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(d); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}
