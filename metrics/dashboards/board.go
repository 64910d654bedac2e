// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// board is one of the boards before it is laid out.
type board struct {
	name      string
	title     string
	question  string // What the board answers.
	variables []string
	sections  func(config) []section
}

// section is a heading with lines of panels below it. The panels of a line share its
// width.
type section struct {
	title     string
	collapsed bool
	lines     [][]*panel
}

// boards are all boards; the first one is the home of the others.
var boards = []board{
	{
		name: series.BoardFlow, title: "Flow",
		question:  "Does data arrive, whole and in time, and where does it spend its time?",
		variables: []string{varPipeline, varStage, varTopic, varGroup, varTraces},
		sections:  flowSections,
	},
	{
		name: series.BoardStages, title: "Stages",
		question:  "Which stage fails, waits or is slow?",
		variables: []string{varPipeline, varStage, varTopic, varTraces},
		sections:  stageSections,
	},
	{
		name: series.BoardQuality, title: "Data quality",
		question:  "Is the data valid, complete and fresh?",
		variables: []string{varPipeline, varStage, varTopic, varTraces},
		sections:  qualitySections,
	},
	{
		name: series.BoardRuntime, title: "Runtime",
		question:  "Do the processes have what they need, and is their telemetry complete?",
		variables: []string{varPipeline, varStage, varTopic, varInstance},
		sections:  runtimeSections,
	},
}

// dashboard lays b out for c.
func (b board) dashboard(c config) *dashboard {
	d := &dashboard{
		UID:           c.uid(b.name),
		Title:         "Waybill / " + b.title,
		Description:   b.question,
		Tags:          []string{"waybill", "etl"},
		Timezone:      "browser",
		Editable:      true,
		GraphTooltip:  1,
		SchemaVersion: schemaVersion,
		Refresh:       "1m",
		Time:          timeRange{From: "now-6h", To: "now"},
		Links:         c.boardLinks(b.name),
		Annotations:   list[any]{List: []any{firingAlerts()}},
		Templating:    list[any]{List: c.variables(b.variables)},
		Panels:        layOut(b.sections(c)),
	}
	if c.namespace != series.DefaultNamespace {
		d.Title += " (" + c.namespace + ")"
		d.Tags[1] = c.namespace
	}
	return d
}

// firingAlerts marks the times at which alerts fire on all panels.
func firingAlerts() annotation {
	return annotation{
		Name: "Firing alerts", Datasource: metricsSource(), Enable: true, IconColor: colorBad,
		Expr: `ALERTS{alertstate="firing", alertname=~"Etl.+"}`, TitleFormat: "{{alertname}}", TextFormat: "{{pipeline}} {{stage}} {{group}} {{topic}}", Step: "1m",
	}
}

// The sizes of panels, in units of the grid.
const (
	gridWidth  = 24
	heightStat = 5
	heightPlot = 9
)

// layOut gives each panel its place in the grid and its id, which is its number on
// the board. The ids of headings begin at 101, so that a new one leaves those of the
// panels as they are.
func layOut(sections []section) []anyPanel {
	var placed []anyPanel
	panelID, rowID, y := 1, 101, 0
	for _, s := range sections {
		row := &rowPanel{ID: rowID, Type: "row", Title: s.title, Collapsed: s.collapsed, Panels: []*panel{}}
		row.place(gridPos{Y: y, W: gridWidth, H: 1})
		placed = append(placed, row)
		rowID++
		y++
		for _, line := range s.lines {
			height := heightPlot
			if line[0].Type == "stat" {
				height = heightStat
			}
			width := gridWidth / len(line)
			for i, p := range line {
				p.ID = panelID
				panelID++
				p.place(gridPos{X: i * width, Y: y, W: width, H: height})
				if s.collapsed {
					row.Panels = append(row.Panels, p)
					continue
				}
				placed = append(placed, p)
			}
			y += height
		}
	}
	return placed
}

// variables returns the variables of a board: the datasource of the metrics, those
// with the names, and the labels of the user.
func (c config) variables(names []string) []any {
	lagged := fmt.Sprintf(`{__name__=~"%s|%s"}`, series.KafkaLag.In(c.namespace), series.KafkaCommittedLag.In(c.namespace))
	inFlight := func(selected ...string) string {
		var matchers []string
		for _, label := range slices.Concat(selected, c.labels) {
			matchers = append(matchers, matches(label))
		}
		return series.InFlight.In(c.namespace) + "{" + strings.Join(matchers, ",") + "}"
	}
	all := []any{datasourceVariable{
		Type: "datasource", Name: varDatasource, Label: "Metrics", Description: "The Prometheus that scrapes the processes.",
		Query: "prometheus", Refresh: 1, Options: []option{},
	}}
	for _, label := range c.labels {
		all = append(all, newQueryVariable(label, "Only series whose label "+label+" has one of these values.",
			series.InFlight.In(c.namespace), label))
	}
	for _, name := range names {
		switch name {
		case varPipeline:
			all = append(all, newQueryVariable(name, "The name of a pipeline.", inFlight(), name))
		case varStage:
			all = append(all, newQueryVariable(name, "The name of a stage. All includes the runs of whole pipelines, which have none.",
				inFlight(varPipeline), name))
		case varTopic:
			all = append(all, newQueryVariable(name, "The name of a Kafka topic. All includes the collections of MongoDB.",
				series.KafkaMessages.In(c.namespace), name))
		case varGroup:
			all = append(all, newQueryVariable(name, "The name of a group of Kafka consumers.", lagged, name))
		case varInstance:
			all = append(all, newQueryVariable(name, "The address at which a process is scraped.", series.Memory.In(c.namespace), name))
		case varTraces:
			all = append(all, datasourceVariable{
				Type: "datasource", Name: name, Label: "Traces", Description: "The Tempo that the links to traces open.",
				Query: "tempo", Refresh: 1, Options: []option{},
			})
		}
	}
	return all
}

// newQueryVariable returns a variable whose values are those of a label. All is a
// regular expression that matches any value and none, so that the URL stays short
// however many values there are, and series without the label are shown.
func newQueryVariable(name, about, selector, label string) queryVariable {
	return queryVariable{
		Type: "query", Name: name, Label: capitalized(name), Description: about,
		Datasource: metricsSource(),
		Query:      variableQuery{Query: "label_values(" + selector + ", " + label + ")", RefID: name},
		Refresh:    2,
		Sort:       1,
		Multi:      true,
		IncludeAll: true,
		AllValue:   ".*",
		Current:    option{Selected: true, Text: []string{"All"}, Value: []string{"$__all"}},
		Options:    []option{},
	}
}
