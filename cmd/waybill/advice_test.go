// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/internal/flow"
	"github.com/waybill-go/waybill/internal/golden"
)

// The advice of a finding is code of the language that its services are written in.
func TestDoctor_Advice(t *testing.T) {
	t.Parallel()
	ofGo := regexp.MustCompile(`\b[Ii]n Go\b|kafkacarrier|propagation\.[A-Z]|otel\.|sdktrace|defer |flowsampler|goroutine`)
	for _, language := range []string{"java", "nodejs", "python"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			var all strings.Builder
			for _, rule := range flow.Rules() {
				for _, fix := range adviceIn(t, rule.ID, language) {
					fmt.Fprintf(&all, "%s\n", fix)
					if words := ofGo.FindString(fix); words != "" {
						t.Errorf("the advice is of Go, %q: %s", words, fix)
					}
				}
			}
			golden.Compare(t, "advice-"+language+".txt", all.String())
		})
	}
}

// adviceIn returns what to change about the mistake id, if it was made in a language.
func adviceIn(t *testing.T, id, language string) []string {
	t.Helper()
	recorded, err := os.ReadFile(plantedFiles(id, "fault")[0])
	if err != nil {
		t.Fatal(err)
	}
	const resource = `"resource":{"attributes":[`
	text := strings.ReplaceAll(string(recorded), resource, resource+`{"key":"telemetry.sdk.language","value":{"stringValue":"`+language+`"}},`)
	name := filepath.Join(t.TempDir(), id+".jsonl")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var document struct{ Findings []struct{ ID, Fix string } }
	if err := json.Unmarshal([]byte(pageOutput(t, "doctor", "--format", "json", name)), &document); err != nil {
		t.Fatal(err)
	}
	var advice []string
	for _, f := range document.Findings {
		if f.ID == id {
			advice = append(advice, id+": "+f.Fix)
		}
	}
	return advice
}
