// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package alerts_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/metrics/alerts"
	"github.com/waybill-go/waybill/metrics/rules"
)

func Example() {
	// Write them to where rule_files of Prometheus looks.
	file := filepath.Join(os.TempDir(), "waybill.rules.yaml")
	if err := os.WriteFile(file, alerts.Rules(), 0o600); err != nil {
		fmt.Println(err)
	}
	fmt.Println(bytes.Count(alerts.Rules(), []byte("- alert: ")) > 10)
	// Output: true
}

func ExampleRules() {
	fmt.Println(strings.Contains(string(alerts.Rules()), "alert: EtlNotFresh"))
	// Output: true
}

func TestRules_AreGenerated(t *testing.T) {
	t.Parallel()
	groups, err := rules.Default()
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	if _, err := groups.WriteTo(&want); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(alerts.Rules()), "\n\n") // Without the comment.
	if diff := cmp.Diff(want.String(), got); diff != "" {
		t.Errorf("waybill.rules.yaml is stale, and go generate rewrites it (-want +got):\n%s", diff)
	}
}

func TestRules_MayBeModified(t *testing.T) {
	t.Parallel()
	clear(alerts.Rules())
	if alerts.Rules()[0] == 0 {
		t.Error("the result shares memory with the next one")
	}
}

// Each alert has a file of tests for promtool, with cases in which it fires and in
// which it is silent.
func TestRules_EachAlertIsTested(t *testing.T) {
	t.Parallel()
	for _, alert := range rules.Alerts() {
		file := filepath.Join("testdata", alert+".test.yaml")
		if alert == rules.AlertObjectiveBurn { // Nothing is declared by default.
			file = filepath.Join("..", "rules", "testdata", "declared.test.yaml")
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		fires, silent, ok := strings.Cut(string(text), "# The silent ones.")
		if !ok || !strings.Contains(fires, "exp_annotations:") || strings.Count(silent, "- name: ") < 2 {
			t.Errorf("%s lacks firing or silent cases", file)
		}
	}
}
