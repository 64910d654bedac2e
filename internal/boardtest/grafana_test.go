// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package boardtest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/waybill-go/waybill/metrics/dashboards"
)

// read returns the error of a strict decoder: one that refuses fields that Grafana
// does not know, fields of a wrong type, and the absence of fields it requires.
func read(text []byte) error {
	var d dashboard.Dashboard //nolint:staticcheck // Deprecated for the second schema; the boards are of the classic one.
	if err := reported(d.UnmarshalJSONStrict(text)); err != nil {
		return err
	}
	return reported(d.Validate())
}

// reported returns nil for an empty list of errors, which the SDK returns as an error.
func reported(err error) error {
	if list, ok := errors.AsType[cog.BuildErrors](err); ok && len(list) == 0 {
		return nil
	}
	return err
}

func TestGenerate_IsWhatGrafanaReads(t *testing.T) {
	plugins.RegisterDefaultPlugins() // Without them, the options of panels are not read.
	tests := []struct {
		name string
		opts []dashboards.Option
	}{
		{name: "defaults"},
		{name: "another namespace", opts: []dashboards.Option{dashboards.WithNamespace("flow")}},
		{name: "labels", opts: []dashboards.Option{dashboards.WithLabels("cluster", "env")}},
		{name: "without Kubernetes", opts: []dashboards.Option{dashboards.WithoutKubernetes()}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files, err := dashboards.Generate(test.opts...)
			if err != nil || len(files) == 0 {
				t.Fatalf("Generate = %d files, %v", len(files), err)
			}
			for name, text := range files {
				if err := read(text); err != nil {
					t.Errorf("%s: got %v, want a board", name, err)
				}
			}
		})
	}
	t.Run("a field too many", func(t *testing.T) {
		files, err := dashboards.Generate()
		if err != nil {
			t.Fatal(err)
		}
		broken := strings.Replace(string(files["flow.json"]), `"colorMode"`, `"colourMode"`, 1)
		if err := read([]byte(broken)); err == nil {
			t.Error("got no error for a misspelled option of a panel")
		}
	})
}
