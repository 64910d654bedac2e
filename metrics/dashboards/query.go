// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"encoding/json"
	"fmt"
	"regexp"
)

// Query is an expression that a panel of a board queries.
type Query struct {
	Board   string // The title of the board.
	Panel   string // The title of the panel.
	RefID   string // The letter of the query in its panel.
	Expr    string // The expression, with the variables of Grafana.
	Legend  string // The legend of the series, with labels in double braces.
	Instant bool   // Reports whether only the values of one time are queried.
	// Optional reports whether the panel is in a collapsed row, because its
	// metrics are those of another exporter.
	Optional bool
}

// Queries returns the queries of a board, as Grafana would read them from its JSON,
// to try them on a Prometheus. It returns an error if text is not a board.
func Queries(text []byte) ([]Query, error) {
	type reading struct {
		Title   string
		Targets []struct {
			RefID, Expr, LegendFormat string
			Instant                   bool
		}
	}
	var board struct {
		Title  string
		Panels []struct {
			reading

			Panels []reading
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		return nil, fmt.Errorf("dashboards: not a board: %w", err)
	}
	var all []Query
	add := func(p reading, optional bool) {
		for _, t := range p.Targets {
			all = append(all, Query{
				Board: board.Title, Panel: p.Title, RefID: t.RefID,
				Expr: t.Expr, Legend: t.LegendFormat, Instant: t.Instant, Optional: optional,
			})
		}
	}
	for _, p := range board.Panels {
		add(p.reading, false)
		for _, inner := range p.Panels {
			add(inner, true)
		}
	}
	return all, nil
}

var (
	ranges    = regexp.MustCompile(`\$__(rate_interval|range)\b`)
	variables = regexp.MustCompile(`"\$[a-zA-Z_][a-zA-Z0-9_]*"`)
)

// PromQL returns the expression of q as Prometheus gets it if All is selected in
// each variable, with interval, such as "1m", for the interval of rates and the shown
// time.
func (q Query) PromQL(interval string) string {
	return variables.ReplaceAllString(ranges.ReplaceAllLiteralString(q.Expr, interval), `".*"`)
}
