// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build airflow

package airflow_test

import (
	"net/http"
	"strings"
	"testing"
)

// requireAnswers checks which requests to start a run the API accepts, and how it refuses
// others.
func requireAnswers(t *testing.T, a *airflow) {
	t.Helper()
	for name, test := range map[string]struct {
		dag    string
		body   map[string]any
		status int
	}{
		"an id that was used":                   {"report", map[string]any{"dag_run_id": "with-context", "logical_date": nil}, http.StatusConflict},
		"no logical date":                       {"report", map[string]any{"dag_run_id": "other"}, http.StatusUnprocessableEntity},
		"a field that is not known":             {"report", map[string]any{"logical_date": nil, "traceparent": "x"}, http.StatusUnprocessableEntity},
		"a conf that is not a map":              {"report", map[string]any{"logical_date": nil, "conf": "x"}, http.StatusUnprocessableEntity},
		"a Param of another type":               {"report", map[string]any{"logical_date": nil, "conf": map[string]any{"day": 5}}, http.StatusBadRequest},
		"a Param with our key":                  {"bare", map[string]any{"logical_date": nil, "conf": map[string]any{"traceparent": strings.Repeat("0", 55)}}, http.StatusOK},
		"a Param with our key that is too long": {"bare", map[string]any{"logical_date": nil, "conf": map[string]any{"traceparent": strings.Repeat("0", 56)}}, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			if status, answer := a.call(t, http.MethodPost, runsOf(test.dag), test.body); status != test.status {
				t.Errorf("it is answered with %d, want %d: %v", status, test.status, answer)
			}
		})
	}
}
