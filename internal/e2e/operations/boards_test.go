// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package operations_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/waybill-go/waybill/metrics/dashboards"
)

// boards returns the boards by the names of their files.
func boards(t *testing.T) map[string][]byte {
	t.Helper()
	names, err := fs.Glob(dashboards.FS(), "*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("there are the boards %q: %v", names, err)
	}
	all := make(map[string][]byte, len(names))
	for _, name := range names {
		if all[name], err = fs.ReadFile(dashboards.FS(), name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// testBoards checks that every expression of every panel has had data since a
// time, and so has every variable, and names those that are empty.
func (p *prometheus) testBoards(t *testing.T, since time.Time) {
	t.Helper()
	for name, text := range boards(t) {
		t.Run(name, func(t *testing.T) {
			queries, err := dashboards.Queries(text)
			if err != nil || len(queries) == 0 {
				t.Fatalf("the board has %d queries: %v", len(queries), err)
			}
			for _, q := range queries {
				if err := p.hasData(q.PromQL(window.String()), since); err != nil {
					t.Errorf("the panel %q is empty: query %s: %v", q.Panel, q.RefID, err)
				}
			}
			for _, v := range variables(t, text) {
				if err := p.hasValues(v.Query.Query, since); err != nil {
					t.Errorf("the variable %s is empty: %v", v.Name, err)
				}
			}
		})
	}
}

// variable is a variable of a board whose values Prometheus knows.
type variable struct {
	Name, Type string
	Query      struct{ Query string }
}

func variables(t *testing.T, board []byte) []variable {
	t.Helper()
	var b struct {
		Templating struct{ List []json.RawMessage }
	}
	if err := json.Unmarshal(board, &b); err != nil {
		t.Fatal(err)
	}
	var queried []variable
	for _, text := range b.Templating.List {
		var v variable
		// The query of a datasource has another type.
		if err := json.Unmarshal(text, &v); v.Type != "query" {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		v.Query.Query = selected.ReplaceAllString(v.Query.Query, ".*")
		queried = append(queried, v)
	}
	if len(queried) == 0 {
		t.Error("the board has no variable that is queried")
	}
	return queried
}

// selected matches the name of a variable in a query.
var selected = regexp.MustCompile(`\$\w+`)

// testExemplars checks that a latency leads to a trace.
func (p *prometheus) testExemplars(t *testing.T, since time.Time) {
	t.Helper()
	for _, metric := range []string{"etl_processing_seconds", "etl_end_to_end_seconds", "etl_hop_seconds"} {
		if p.name == classic {
			metric += "_bucket"
		}
		found, err := p.api.QueryExemplars(t.Context(), metric, since, time.Now())
		if err != nil || len(found) == 0 || len(found[0].Exemplars) == 0 {
			t.Errorf("%s has the exemplars %v: %v", metric, found, err)
			continue
		}
		if id := found[0].Exemplars[0].Labels["trace_id"]; len(id) != 32 {
			t.Errorf("an exemplar of %s has the trace %q", metric, id)
		}
	}
}

// hasData returns an error if expr has no value that is a number.
func (p *prometheus) hasData(expr string, since time.Time) error {
	matrix, err := p.queryRange(expr, since, 2*interval)
	if err != nil {
		return err
	}
	for _, series := range matrix {
		if len(series.Histograms) > 0 {
			return nil
		}
		for _, v := range series.Values {
			if !math.IsNaN(float64(v.Value)) {
				return nil
			}
		}
	}
	return fmt.Errorf("%s has no value", expr)
}

var labelValues = regexp.MustCompile(`^label_values\((.*),\s*(\w+)\)$`)

// hasValues returns an error if the query of a variable has no values.
func (p *prometheus) hasValues(query string, since time.Time) error {
	m := labelValues.FindStringSubmatch(query)
	if m == nil {
		return fmt.Errorf("the query %s is not known", query)
	}
	series, err := p.queryRange(fmt.Sprintf("count by (%s) (%s)", m[2], m[1]), since, 2*interval)
	if err != nil {
		return err
	}
	for _, s := range series {
		if s.Metric[model.LabelName(m[2])] != "" {
			return nil
		}
	}
	return fmt.Errorf("%s has no value", query)
}
