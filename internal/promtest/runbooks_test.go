// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package promtest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/metrics/rules"
)

const runbooks = "../../docs/runbooks"

// pages returns the runbooks, by their path below the folder.
func pages(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(runbooks, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path) //nolint:gosec // A file of this repository.
		name, _ := filepath.Rel(runbooks, path)
		all[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// others are the pages that are not about one alert.
var others = []string{
	"README.md", "latency-degradation.md", "data-loss.md", "backpressure-or-skew.md",
	"how-to/replay-from-a-checkpoint.md", "how-to/scale-out-workers.md", "how-to/roll-back-a-schema.md",
}

func TestRunbooks_EachAlertHasItsPage(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for _, alert := range rules.Alerts() {
		text, ok := all[alert+".md"]
		if !ok {
			t.Errorf("%s has no page", alert)
		}
		if n := strings.Count(text, "\n"); n > 60 {
			t.Errorf("%s.md has %d lines, more than a screen", alert, n)
		}
		for _, part := range []string{"# " + alert + "\n", "**The data**", "**Certainty:**", "## First look", "Traces:", "## Causes", "o now", "**Undo:**", "## Prevent", "**Call**", "```promql"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s.md has no %q", alert, part)
			}
		}
		if !strings.Contains(all["README.md"], "("+alert+".md)") {
			t.Errorf("the index does not list %s", alert)
		}
	}
	for name := range all {
		if !slices.Contains(others, name) && !slices.Contains(rules.Alerts(), strings.TrimSuffix(name, ".md")) {
			t.Errorf("%s is the page of no alert", name)
		}
	}
}

var block = regexp.MustCompile("(?s)```(\\w+)\n(.*?)```")

func TestRunbooks_Queries(t *testing.T) {
	t.Parallel()
	var all []expression
	for name, text := range pages(t) {
		for _, match := range block.FindAllStringSubmatch(text, -1) {
			if match[1] == "promql" {
				all = append(all, expression{name, match[2]})
			}
		}
	}
	testExpressions(t, all)
}

// commands are the programs that a page may name, and where they come from.
var commands = map[string]string{
	"kafka-consumer-groups.sh":  "Apache Kafka",
	"kafka-configs.sh":          "Apache Kafka",
	"kafka-console-consumer.sh": "Apache Kafka",
	"kafka-get-offsets.sh":      "Apache Kafka",
	"kafka-topics.sh":           "Apache Kafka",
	"kubectl":                   "Kubernetes",
	"promtool":                  "Prometheus",
	"amtool":                    "Alertmanager",
	"curl":                      "the system",
	"install":                   "the system",
	"go":                        "Go",
	"mkdir":                     "the system",
}

// The verbs of kubectl that a page may use.
var verbs = []string{"get", "logs", "describe", "exec", "delete", "scale", "rollout", "create", "top", "set"}

func TestRunbooks_Commands(t *testing.T) {
	t.Parallel()
	inline := regexp.MustCompile("`((?:kubectl|kafka-[a-z-]+\\.sh|amtool|promtool|curl) [^`]+)`")
	for name, text := range pages(t) {
		var lines []string
		for _, match := range block.FindAllStringSubmatch(text, -1) {
			if match[1] == "sh" {
				lines = append(lines, strings.Split(strings.TrimSpace(match[2]), "\n")...)
			}
		}
		for _, match := range inline.FindAllStringSubmatch(text, -1) {
			lines = append(lines, match[1])
		}
		for _, line := range lines {
			words := strings.Fields(line)
			if commands[words[0]] == "" {
				t.Errorf("%s: unknown command %q", name, words[0])
			}
			if verb := verbOf(words); words[0] == "kubectl" && !slices.Contains(verbs, verb) {
				t.Errorf("%s: kubectl has no verb %q that is known here", name, verb)
			}
		}
	}
}

// verbOf returns the first word of a command that is no flag and no value of -n.
func verbOf(words []string) string {
	for i, word := range words[1:] {
		if !strings.HasPrefix(word, "-") && words[i] != "-n" {
			return word
		}
	}
	return ""
}

// A link leads to a page, and a panel is on a board.
func TestRunbooks_LinksAndPanels(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#]+)\)`)
	panel := regexp.MustCompile(`(?:panels?|and) "([^"]+)"`)
	titles := panels(t)
	for name, text := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			target := filepath.Join(runbooks, filepath.Dir(name), match[1])
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, match := range panel.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(titles, match[1]) {
				t.Errorf("%s: no board has the panel %q", name, match[1])
			}
		}
	}
}

// panels returns the titles of all panels.
func panels(t testing.TB) []string {
	t.Helper()
	var titles []string
	for _, q := range boardQueries(t) {
		titles = append(titles, q.Panel)
	}
	return titles
}

// The code of the page on alerts is that of the example, which runs.
func TestAlertsPage_Code(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../../metrics/rules/example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	code := strings.Join(strings.Fields(strings.ReplaceAll(string(example), "io.Discard", "os.Stdout")), " ")
	for _, match := range block.FindAllStringSubmatch(string(page), -1) {
		if want := strings.Join(strings.Fields(match[2]), " "); match[1] == "go" && !strings.Contains(code, want) {
			t.Errorf("no example has the code\n%s", match[2])
		}
	}
}
