// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards_test

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/metrics/dashboards"
)

// board is what the tests read of a board.
type board struct {
	ID            *int
	UID           string
	Title         string
	SchemaVersion int
	Tags          []string
	Links         []struct{ Title, URL string }
	Templating    struct{ List []variable }
	Annotations   struct {
		List []struct{ Datasource datasource }
	}
	Panels []panel
}

type variable struct {
	Name, Type, Label, Description, AllValue string
	Multi, IncludeAll                        bool
	Query                                    json.RawMessage
	Datasource                               datasource
	Current                                  struct{ Value []string }
}

type datasource struct{ Type, UID string }

type panel struct {
	ID                       int
	Type, Title, Description string
	Collapsed                bool
	Datasource               datasource
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct {
		Defaults struct {
			Unit, NoValue string
			Color         struct{ Mode string }
			Thresholds    struct{ Steps []struct{ Color string } }
			Links         []struct{ Title, URL string }
		}
	}
	Targets []target
	Panels  []panel
}

type target struct {
	RefID, Expr, LegendFormat string
	Datasource                datasource
	Instant, Range, Exemplar  bool
}

// read returns the boards for opts by their names.
func read(t *testing.T, opts ...dashboards.Option) map[string]board {
	t.Helper()
	files, err := dashboards.Generate(opts...)
	if err != nil {
		t.Fatalf("Generate: %v", err)
	}
	all := map[string]board{}
	for name, text := range files {
		var b board
		if err := json.Unmarshal(text, &b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[strings.TrimSuffix(name, ".json")] = b
	}
	return all
}

// panels returns the panels of b without the headings.
func (b board) panels() []panel {
	var all []panel
	for _, p := range b.Panels {
		if p.Type != "row" {
			all = append(all, p)
		}
		all = append(all, p.Panels...)
	}
	return all
}

// each calls check with each panel of all boards.
func each(t *testing.T, check func(t *testing.T, b board, p panel)) {
	t.Helper()
	for name, b := range read(t) {
		for _, p := range b.panels() {
			t.Run(name+"/"+p.Title, func(t *testing.T) {
				t.Parallel()
				check(t, b, p)
			})
		}
	}
}

func TestGenerate_Boards(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for name, b := range read(t) {
		got[name] = b.UID
		if b.ID != nil {
			t.Errorf("%s: got id %d, want null", name, *b.ID)
		}
		if b.SchemaVersion != 42 {
			t.Errorf("%s: got schema version %d, want 42", name, b.SchemaVersion)
		}
		if got := len(b.panels()); got > 12 {
			t.Errorf("%s: got %d panels, want at most 12", name, got)
		}
	}
	want := map[string]string{"flow": "waybill-flow", "stages": "waybill-stages", "quality": "waybill-quality", "runtime": "waybill-runtime"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("uids by board (-want +got):\n%s", diff)
	}
}

func TestGenerate_PanelsAreExplained(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ board, p panel) {
		for _, part := range []string{"\n\n**Normal:** ", "\n\n**If not:** "} {
			if !strings.Contains(p.Description, part) {
				t.Errorf("got description %q, want it with %q", p.Description, part)
			}
		}
		if p.Title == "" || p.FieldConfig.Defaults.Unit == "" || p.FieldConfig.Defaults.NoValue == "" {
			t.Errorf("got title %q, unit %q and text without a value %q, want none empty",
				p.Title, p.FieldConfig.Defaults.Unit, p.FieldConfig.Defaults.NoValue)
		}
		if len(p.Targets) == 0 {
			t.Error("got no queries")
		}
		for _, q := range p.Targets {
			if q.LegendFormat == "" || q.LegendFormat == "__auto" {
				t.Errorf("%s: got legend %q, want one that names the series", q.RefID, q.LegendFormat)
			}
			if q.Instant == q.Range {
				t.Errorf("%s: got instant %t and range %t, want one of them", q.RefID, q.Instant, q.Range)
			}
		}
	})
}

func TestGenerate_Datasources(t *testing.T) {
	t.Parallel()
	want := datasource{Type: "prometheus", UID: "${datasource}"}
	each(t, func(t *testing.T, _ board, p panel) {
		if p.Datasource != want {
			t.Errorf("got %v, want %v", p.Datasource, want)
		}
		for _, q := range p.Targets {
			if q.Datasource != want {
				t.Errorf("%s: got %v, want %v", q.RefID, q.Datasource, want)
			}
		}
	})
	for name, b := range read(t) {
		for _, v := range b.Templating.List {
			if v.Type == "query" && v.Datasource != want {
				t.Errorf("%s: variable %s: got %v, want %v", name, v.Name, v.Datasource, want)
			}
		}
		for _, a := range b.Annotations.List {
			if a.Datasource != want {
				t.Errorf("%s: annotation: got %v, want %v", name, a.Datasource, want)
			}
		}
	}
}

// TestGenerate_Legends checks that a legend uses only labels that the expression
// results in, so that no name of a label is shown instead of its value.
func TestGenerate_Legends(t *testing.T) {
	t.Parallel()
	label := regexp.MustCompile(`\{\{(\w+)\}\}`)
	kept := regexp.MustCompile(`by \(([^)]*)\)|"(point)"`)
	each(t, func(t *testing.T, _ board, p panel) {
		for _, q := range p.Targets {
			known := []string{"pod", "instance", "le"}
			for _, match := range kept.FindAllStringSubmatch(q.Expr, -1) {
				known = append(known, strings.Split(match[1]+match[2], ", ")...)
			}
			for _, match := range label.FindAllStringSubmatch(q.LegendFormat, -1) {
				if !slices.Contains(known, match[1]) {
					t.Errorf("%s: legend %q has the label %s, want one of %v", q.RefID, q.LegendFormat, match[1], known)
				}
			}
		}
	})
}

func TestGenerate_GridHasNoOverlapsAndNoHoles(t *testing.T) {
	t.Parallel()
	for name, b := range read(t) {
		taken := map[[2]int]string{}
		height, cells := 0, 0
		place := func(p panel) {
			height = max(height, p.GridPos.Y+p.GridPos.H)
			if p.GridPos.X < 0 || p.GridPos.X+p.GridPos.W > 24 {
				t.Errorf("%s: %q is outside of the grid: %v", name, p.Title, p.GridPos)
			}
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other, ok := taken[[2]int{x, y}]; ok {
						t.Fatalf("%s: %q overlaps %q", name, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
					cells++
				}
			}
		}
		for i, p := range b.Panels {
			if p.Collapsed && i != len(b.Panels)-1 {
				t.Errorf("%s: %q is collapsed and not the last row", name, p.Title)
			}
			place(p)
			for _, inner := range p.Panels {
				place(inner)
			}
		}
		if got, want := cells, 24*height; got != want {
			t.Errorf("%s: got %d cells in use, want all %d", name, got, want)
		}
	}
}

func TestGenerate_IDsAreUnique(t *testing.T) {
	t.Parallel()
	for name, b := range read(t) {
		ids := map[int]bool{}
		for _, p := range append(b.panels(), b.Panels...) {
			if p.Type != "row" {
				continue
			}
			ids[p.ID] = true
		}
		rows := len(ids)
		for _, p := range b.panels() {
			if ids[p.ID] || p.ID == 0 {
				t.Errorf("%s: %q has the id %d of another panel", name, p.Title, p.ID)
			}
			ids[p.ID] = true
		}
		if got, want := len(ids), rows+len(b.panels()); got != want {
			t.Errorf("%s: got %d ids, want %d", name, got, want)
		}
	}
}

// TestGenerate_FirstRow checks that the first row is read in one glance: it has
// nothing but states, whose colors are those of a palette for all color visions.
func TestGenerate_FirstRow(t *testing.T) {
	t.Parallel()
	palette := []string{"#0072B2", "#E69F00", "#D55E00"}
	for name, b := range read(t) {
		if b.Panels[0].Title != "Is anything wrong?" || b.Panels[0].Type != "row" {
			t.Errorf("%s: got first %q, want the heading of states", name, b.Panels[0].Title)
		}
		states := 0
		for _, p := range b.panels() {
			if p.Type != "stat" {
				continue
			}
			states++
			if p.GridPos.Y != 1 {
				t.Errorf("%s: %q is not in the first row", name, p.Title)
			}
			steps := p.FieldConfig.Defaults.Thresholds.Steps
			if len(steps) < 2 || p.FieldConfig.Defaults.Color.Mode != "thresholds" {
				t.Errorf("%s: %q has %d colors in mode %q, want thresholds", name, p.Title, len(steps), p.FieldConfig.Defaults.Color.Mode)
			}
			for _, s := range steps {
				if !slices.Contains(palette, s.Color) {
					t.Errorf("%s: %q has the color %s, want one of %v", name, p.Title, s.Color, palette)
				}
			}
		}
		if states < 3 {
			t.Errorf("%s: got %d states, want at least 3", name, states)
		}
	}
}

var usedVariable = regexp.MustCompile(`\$\{?([a-zA-Z]\w*)`)

func TestGenerate_VariablesExistAndAreUsed(t *testing.T) {
	t.Parallel()
	for name, b := range read(t, dashboards.WithLabels("cluster")) {
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		used := map[string]bool{}
		for _, match := range usedVariable.FindAllStringSubmatch(string(text), -1) {
			if !strings.HasPrefix(match[1], "__") {
				used[match[1]] = true
			}
		}
		for _, v := range b.Templating.List {
			if !used[v.Name] {
				t.Errorf("%s: variable %s is not used", name, v.Name)
			}
			delete(used, v.Name)
		}
		for v := range used {
			t.Errorf("%s: variable %s is used and does not exist", name, v)
		}
	}
}

func TestGenerate_VariablesHaveAll(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for name, b := range read(t) {
		if got, want := b.Templating.List[0].Name, "datasource"; got != want {
			t.Errorf("%s: got first variable %s, want %s", name, got, want)
		}
		for _, v := range b.Templating.List {
			found[v.Name] = true
			if v.Label == "" || v.Description == "" {
				t.Errorf("%s: variable %s: got label %q and description %q, want both", name, v.Name, v.Label, v.Description)
			}
			if v.Type != "query" {
				continue
			}
			if !v.Multi || !v.IncludeAll || v.AllValue != ".*" || !slices.Equal(v.Current.Value, []string{"$__all"}) {
				t.Errorf("%s: variable %s: got %+v, want All as .*, and selected", name, v.Name, v)
			}
		}
	}
	for _, want := range []string{"pipeline", "stage", "topic", "group", "traces"} {
		if !found[want] {
			t.Errorf("no board has the variable %s", want)
		}
	}
}

func TestGenerate_LinksResolve(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]dashboards.Option{nil, {dashboards.WithNamespace("flow"), dashboards.WithLabels("cluster")}} {
		boards := read(t, opts...)
		variables := map[string][]string{}
		for _, b := range boards {
			for _, v := range b.Templating.List {
				variables[b.UID] = append(variables[b.UID], v.Name)
			}
		}
		check := func(from, link string) {
			t.Helper()
			u, err := url.Parse(link)
			if err != nil {
				t.Errorf("%s: %v", from, err)
				return
			}
			if u.Path == "/explore" {
				var panes map[string]any
				if err := json.Unmarshal([]byte(u.Query().Get("panes")), &panes); err != nil {
					t.Errorf("%s: panes of %s: %v", from, link, err)
				}
				return
			}
			uid, ok := strings.CutPrefix(u.Path, "/d/")
			if !ok || variables[uid] == nil {
				t.Errorf("%s: %s leads to no board", from, link)
			}
			for name := range u.Query() {
				if v, ok := strings.CutPrefix(name, "var-"); ok && !slices.Contains(variables[uid], v) {
					t.Errorf("%s: %s sets a variable that %s does not have", from, link, uid)
				}
			}
		}
		for name, b := range boards {
			if got, want := len(b.Links), len(boards)-1; got != want {
				t.Errorf("%s: got %d links, want one to each of the %d other boards", name, got, want)
			}
			for _, l := range b.Links {
				check(name, l.URL)
			}
			for _, p := range b.panels() {
				for _, l := range p.FieldConfig.Defaults.Links {
					check(name+"/"+p.Title, l.URL)
				}
			}
		}
	}
}

func TestGenerate_LatencyPanelsLeadToTraces(t *testing.T) {
	t.Parallel()
	latencies := 0
	each(t, func(t *testing.T, _ board, p panel) {
		histogram := false
		for _, q := range p.Targets {
			if strings.Contains(q.Expr, "histogram_quantile") {
				histogram = true
			}
		}
		if !histogram {
			return
		}
		for _, q := range p.Targets {
			if !q.Exemplar {
				t.Errorf("%s: got no exemplars", q.RefID)
			}
		}
		if !slices.ContainsFunc(p.FieldConfig.Defaults.Links, func(l struct{ Title, URL string }) bool {
			return strings.Contains(l.URL, `/explore?`) && strings.Contains(l.URL, "${traces}")
		}) {
			t.Error("got no link to the traces")
		}
	})
	for _, b := range read(t) {
		for _, p := range b.panels() {
			for _, q := range p.Targets {
				if q.Exemplar {
					latencies++
				}
			}
		}
	}
	if latencies < 10 {
		t.Errorf("got %d queries with exemplars, want at least 10", latencies)
	}
}
