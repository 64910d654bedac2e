// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/internal/flow"
)

// planted are the findings in recordings of code that makes a mistake, by the finding
// that it is about. The code is in examples/diagnosis.
var planted = map[string][]string{
	"P01": {"P01 violation, likely: api send orders → worker process orders"},
	"P02": {"P02 violation, certain: api orders publish → worker process orders"},
	"P03": {"P03 violation, likely: job extract"},
	"P04": {"P04 warning, likely: worker process orders"},
	"P05": {"P05 violation, certain: api GET → worker GET /stock"},
	"P06": {"P06 violation, certain: api send orders → worker process orders"},
	"P07": {"P07 violation, likely: api HTTP GET → worker GET"},
	"P08": {"P08 violation, certain: api send orders → worker process orders"},
	"P09": {"P09 violation, certain: api send orders → worker process orders"},
	"P10": {"P10 violation, certain: api send orders → worker process orders"},
	"P11": {"P11 violation, likely: worker send orders.retry → worker process orders.retry"},
	"P12": {"P12 warning, likely: worker process orders"},
	"P13": {"P13 warning, certain: api send orders"},
	"P14": {"P14 violation, certain ×2: api send orders → worker process orders"},
	"P15": {"P15 violation, certain: api send orders"},
	"P16": {"P16 warning, likely: api send invoices → worker process invoices"},
	"P17": {"P17 warning, likely: api place order → api send orders"},
	"P18": {"P18 info, likely: api send orders → worker process orders"},
	"P19": {"P19 warning, likely: api POST /orders → api send orders"},
	"P20": {"P20 violation, certain: api reserve"},
	"P21": {"P21 info, a guess: api send orders.v2"},
	"P22": {"P22 violation, certain ×2: api POST /orders"},
	"P23": {"P23 warning, likely: api send orders → api orders publish"},
	"P24": {"P24 violation, likely ×2: worker process orders → worker process orders"},
}

// plantedFiles returns the arguments with which doctor reads what a mistake has
// recorded, or its cure: spans, and the journal of the program if it shows there.
func plantedFiles(id, which string) []string {
	prefix := "testdata/planted/" + id + "-" + which
	if journal := prefix + ".journal.jsonl"; exists(journal) {
		return []string{prefix + ".jsonl", "--journal", journal}
	}
	return []string{prefix + ".jsonl"}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// Each mistake is found, with its level, how sure that is, and the spans between which
// the flow broke. Nothing else is found, and nothing if the mistake is not made.
func TestDoctor_Planted(t *testing.T) {
	t.Parallel()
	for id, want := range planted {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want, findingsIn(t, id, "fault")); diff != "" {
				t.Errorf("findings of the fault (-want +got):\n%s", diff)
			}
			if got := findingsIn(t, id, "cure"); len(got) > 0 {
				t.Errorf("findings of the cure: %q, want none", got)
			}
		})
	}
}

// findingsIn describes the findings in what a mistake has recorded, such as
// "P02 violation, certain: api send orders → worker process orders".
func findingsIn(t *testing.T, id, which string) []string {
	t.Helper()
	type span struct {
		Service, Name string
		SpanID        string `json:"span_id"`
	}
	var document struct {
		Findings []struct {
			ID, Level, Sureness string
			Count               int
			Spans               []span
			From                *span
		}
	}
	args := append([]string{"doctor", "--format", "json"}, plantedFiles(id, which)...)
	if err := json.Unmarshal([]byte(pageOutput(t, args...)), &document); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, f := range document.Findings {
		text := f.ID + " " + f.Level + ", " + f.Sureness
		if f.Count > 1 {
			text += fmt.Sprintf(" ×%d", f.Count)
		}
		text += ": "
		if f.From != nil && *f.From != f.Spans[0] {
			text += f.From.Service + " " + f.From.Name + " → "
		}
		texts = append(texts, text+f.Spans[0].Service+" "+f.Spans[0].Name)
	}
	return texts
}

// Each kind of findings has a recording of its fault and of its cure, and a page to which
// SARIF links.
func TestRules_ArePlantedAndExplained(t *testing.T) {
	t.Parallel()
	var sarif struct {
		Runs []struct {
			Tool struct {
				Driver struct {
					Rules []struct{ ID, HelpURI string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(pageOutput(t, "doctor", "--format", "sarif", plantedFiles("P01", "fault")[0])), &sarif); err != nil {
		t.Fatal(err)
	}
	help := make(map[string]string)
	for _, rule := range sarif.Runs[0].Tool.Driver.Rules {
		help[rule.ID] = rule.HelpURI
	}
	for _, rule := range flow.Rules() {
		if want := planted[rule.ID]; len(want) != 1 || !strings.HasPrefix(want[0], rule.ID+" ") {
			t.Errorf("%s: the fault has the findings %q, want one", rule.ID, want)
		}
		for _, which := range []string{"fault", "cure"} {
			if file := plantedFiles(rule.ID, which)[0]; !exists(file) {
				t.Errorf("%s: no recording %s", rule.ID, file)
			}
		}
		page, ok := strings.CutPrefix(help[rule.ID], "https://github.com/waybill-go/waybill/blob/main/")
		if !ok || !exists("../../"+page) {
			t.Errorf("%s: helpUri %q, want the address of a page of the repository", rule.ID, help[rule.ID])
		}
	}
	if len(planted) != len(flow.Rules()) || len(help) != len(flow.Rules()) {
		t.Errorf("%d mistakes and %d rules in SARIF, want %d", len(planted), len(help), len(flow.Rules()))
	}
}
