// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/waybill-go/waybill/internal/flow"
)

// jsonFinding is a finding in JSON.
type jsonFinding struct {
	ID       string     `json:"id"`
	Title    string     `json:"title"`
	Level    string     `json:"level"`
	Sureness string     `json:"sureness"`
	Count    int        `json:"count"`
	What     string     `json:"what"`
	Why      string     `json:"why"`
	Fix      string     `json:"fix"`
	Page     string     `json:"page"`             // The address of a page that explains the finding.
	Spans    []spanName `json:"spans"`            // At most 100; none if only a journal has noted it.
	Places   []string   `json:"places,omitempty"` // Lines of code, from a journal; at most 10.
	From     *spanName  `json:"from,omitempty"`
	To       *spanName  `json:"to,omitempty"`
}

func writeJSON(out io.Writer, d *diagnosis) error {
	document := struct {
		Summary  string        `json:"summary"`
		Findings []jsonFinding `json:"findings"`
		Omitted  int           `json:"omitted,omitempty"` // How many more findings there are.
	}{d.Summary, []jsonFinding{}, d.Omitted}
	for _, f := range d.Findings {
		document.Findings = append(document.Findings, jsonFinding{
			ID: f.ID, Title: flow.Title(f.ID), Level: f.Level.String(), Sureness: f.Sure.String(), Count: f.Count,
			What: f.What, Why: f.Why, Fix: f.Fix, Page: flow.Page(f.ID), Spans: f.Spans, Places: f.Places, From: f.From, To: f.To,
		})
	}
	return encodeJSON(out, document)
}

// writeJUnit writes a test case for each finding, as CI systems read them:
// https://github.com/testmoapp/junitxml
func writeJUnit(out io.Writer, d *diagnosis) error {
	type failure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
	type testcase struct {
		Name      string   `xml:"name,attr"`
		ClassName string   `xml:"classname,attr"`
		Failure   *failure `xml:"failure,omitempty"`
	}
	type testsuite struct {
		XMLName  xml.Name   `xml:"testsuite"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	suite := testsuite{Name: "waybill doctor"}
	for _, f := range d.Findings {
		c := testcase{Name: f.ID + " " + flow.Title(f.ID) + ": " + printable(f.What), ClassName: "flow"}
		if f.Level > flow.Info {
			c.Failure = &failure{Message: printable(f.What), Type: f.Level.String(), Text: printable(f.Why + "\n" + f.Fix + "\n" + flow.Page(f.ID))}
			suite.Failures++
		}
		suite.Cases = append(suite.Cases, c)
	}
	if len(suite.Cases) == 0 {
		suite.Cases = []testcase{{Name: d.Summary, ClassName: "flow"}}
	}
	suite.Tests = len(suite.Cases)
	if _, err := io.WriteString(out, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(out)
	encoder.Indent("", "  ")
	if err := encoder.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(out, "\n")
	return err
}

// writeGitHub writes workflow commands that annotate a run of GitHub Actions.
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
func writeGitHub(out io.Writer, d *diagnosis) error {
	command := map[flow.Level]string{flow.Violation: "error", flow.Warning: "warning", flow.Info: "notice"}
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	for _, f := range d.Findings {
		text := data.Replace(printable(f.What + " " + f.Why + "\n" + f.Fix + "\n" + flow.Page(f.ID)))
		if _, err := fmt.Fprintf(out, "::%s title=%s %s::%s\n", command[f.Level], f.ID, flow.Title(f.ID), text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, d.Summary)
	return err
}

// writeSARIF writes SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/
func writeSARIF(out io.Writer, d *diagnosis) error {
	type text struct {
		Text string `json:"text"`
	}
	type rule struct {
		ID               string `json:"id"`
		ShortDescription text   `json:"shortDescription"`
		HelpURI          string `json:"helpUri"`
	}
	type artifact struct {
		URI string `json:"uri"`
	}
	type region struct {
		StartLine int `json:"startLine"`
	}
	type physical struct {
		ArtifactLocation artifact `json:"artifactLocation"`
		Region           region   `json:"region"`
	}
	type logical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
	}
	type location struct {
		// GitHub refuses a report if one location is without a file.
		PhysicalLocation physical  `json:"physicalLocation"`
		LogicalLocations []logical `json:"logicalLocations"`
	}
	type result struct {
		RuleID          string     `json:"ruleId"`
		Level           string     `json:"level"`
		Message         text       `json:"message"`
		Locations       []location `json:"locations"`
		OccurrenceCount int        `json:"occurrenceCount"`
	}
	var rules []rule
	for _, r := range flow.Rules() {
		rules = append(rules, rule{r.ID, text{r.Title}, flow.Page(r.ID)})
	}
	levels := map[flow.Level]string{flow.Violation: "error", flow.Warning: "warning", flow.Info: "note"}
	place := physical{artifact{(&url.URL{Path: filepath.ToSlash(d.Source)}).String()}, region{1}}
	results := []result{}
	for _, f := range d.Findings {
		names := []logical{}
		if len(f.Spans) > 0 {
			names = append(names, logical{f.Spans[0].label()})
		}
		results = append(results, result{
			RuleID: f.ID, Level: levels[f.Level], Message: text{f.What + " " + f.Why + " " + f.Fix}, OccurrenceCount: f.Count,
			Locations: []location{{place, names}},
		})
	}
	return encodeJSON(out, map[string]any{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json",
		"version": "2.1.0",
		"runs": []any{map[string]any{
			"tool":    map[string]any{"driver": map[string]any{"name": "waybill", "informationUri": "https://github.com/waybill-go/waybill", "rules": rules}},
			"results": results,
		}},
	})
}
