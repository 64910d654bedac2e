// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// The attributes of spans that say what a span belongs to; see packages stages and
// kafkacarrier.
const (
	spanPipeline = "etl.pipeline"
	spanStage    = "etl.stage"
	spanTopic    = "messaging.destination.name"
)

// field is the value of a label of the series that a link belongs to.
func field(label string) string { return "${__field.labels." + label + "}" }

// toBoard returns a link from a series to another board, with the time that is shown
// and the variables filled in: the labels of the series, and the others as they are.
func (c config) toBoard(board, title string, labels ...string) dataLink {
	query := []string{"${__url_time_range}", "${" + varDatasource + ":queryparam}"}
	for _, label := range labels {
		query = append(query, "var-"+label+"="+field(label))
	}
	for _, label := range c.labels {
		query = append(query, "${"+label+":queryparam}")
	}
	return dataLink{Title: title, URL: "/d/" + c.uid(board) + "?" + strings.Join(query, "&")}
}

// toTraces returns a link from a series to the traces of the shown time whose spans
// have the values of its labels as attributes.
func toTraces(title string, attributes map[string]string) dataLink {
	var conditions []string
	for _, attribute := range []string{spanPipeline, spanStage, spanTopic} {
		if label, ok := attributes[attribute]; ok {
			conditions = append(conditions, fmt.Sprintf(`span.%s = "%s"`, attribute, field(label)))
		}
	}
	traceQL := "{ " + strings.Join(conditions, " && ") + " }"
	panes := fmt.Sprintf(`{"traces":{"datasource":"${%[1]s}","queries":[{"refId":"A","datasource":{"type":"tempo","uid":"${%[1]s}"},`+
		`"queryType":"traceql","query":%[2]q}],"range":{"from":"${__from}","to":"${__to}"}}}`, varTraces, traceQL)
	return dataLink{Title: title, URL: "/explore?schemaVersion=1&panes=" + escape(panes)}
}

var variable = regexp.MustCompile(`\$\{[^}]+\}`)

// escape returns text for the query of a URL, without touching its variables.
func escape(text string) string {
	var escaped strings.Builder
	last := 0
	for _, at := range variable.FindAllStringIndex(text, -1) {
		escaped.WriteString(percent(text[last:at[0]]))
		escaped.WriteString(text[at[0]:at[1]])
		last = at[1]
	}
	escaped.WriteString(percent(text[last:]))
	return escaped.String()
}

// percent escapes spaces as %20, which Grafana reads in any part of a URL.
func percent(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

var (
	stageTraces    = toTraces("Traces of this stage", map[string]string{spanPipeline: series.Pipeline, spanStage: series.Stage})
	pipelineTraces = toTraces("Traces of this pipeline", map[string]string{spanPipeline: series.Pipeline})
	topicTraces    = toTraces("Traces of this topic", map[string]string{spanTopic: series.Topic})
)

// boardLinks returns the links at the top of a board to the others.
func (c config) boardLinks(from string) []link {
	var links []link
	for _, b := range boards {
		if b.name == from {
			continue
		}
		links = append(links, link{
			Title: b.title, Type: "link", Icon: "dashboard", Tooltip: b.question, URL: "/d/" + c.uid(b.name),
			Tags: []string{}, IncludeVars: true, KeepTime: true,
		})
	}
	return links
}
