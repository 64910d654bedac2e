// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/metrics/dashboards"
)

func TestGenerate_InvalidOptions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		opt  dashboards.Option
		want string
	}{
		{name: "namespace with a dash", opt: dashboards.WithNamespace("my-etl"), want: `dashboards: invalid namespace "my-etl"`},
		{name: "namespace that would change the expression", opt: dashboards.WithNamespace(`etl_x{} or up`), want: `dashboards: invalid namespace "etl_x{} or up"`},
		{name: "namespace of recording rules", opt: dashboards.WithNamespace("a:b"), want: `dashboards: invalid namespace "a:b"`},
		{name: "namespace that is not UTF-8", opt: dashboards.WithNamespace("a\xff"), want: `dashboards: invalid namespace "a\xff"`},
		{name: "empty label", opt: dashboards.WithLabels(""), want: `dashboards: invalid label ""`},
		{name: "label with a dot", opt: dashboards.WithLabels("cluster", "k8s.pod"), want: `dashboards: invalid label "k8s.pod"`},
		{name: "label that the metrics have", opt: dashboards.WithLabels("stage"), want: `dashboards: invalid label "stage"`},
		{name: "label that is another variable", opt: dashboards.WithLabels("traces"), want: `dashboards: invalid label "traces"`},
		{name: "internal label", opt: dashboards.WithLabels("__name__"), want: `dashboards: invalid label "__name__"`},
		{name: "label twice", opt: dashboards.WithLabels("a", "a"), want: `dashboards: invalid label "a"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files, err := dashboards.Generate(test.opt)
			if err == nil || err.Error() != test.want || files != nil {
				t.Errorf("Generate = %d files, %v, want the error %s", len(files), err, test.want)
			}
			dir := filepath.Join(t.TempDir(), "boards")
			if err := dashboards.Write(dir, test.opt); err == nil || err.Error() != test.want {
				t.Errorf("Write = %v, want the error %s", err, test.want)
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after Write, Stat = %v, want nothing written", err)
			}
		})
	}
}

func TestWithNamespace(t *testing.T) {
	t.Parallel()
	for _, q := range queries(t, dashboards.WithNamespace("flow")) {
		if strings.Contains(q.Expr, "etl_") {
			t.Errorf("%s: got %s, want no metric of etl", name(q), q.Expr)
		}
		if !strings.Contains(q.Expr, "flow_") {
			t.Errorf("%s: got %s, want a metric of flow", name(q), q.Expr)
		}
	}
	uids := map[string]bool{}
	for _, opts := range [][]dashboards.Option{nil, {dashboards.WithNamespace("flow")}, {dashboards.WithNamespace(strings.Repeat("n", 100))}} {
		for board, b := range read(t, opts...) {
			if uids[b.UID] || len(b.UID) > 40 {
				t.Errorf("%s: got uid %q, want one of its own of at most 40 bytes", board, b.UID)
			}
			uids[b.UID] = true
			for _, v := range b.Templating.List {
				if opts != nil && strings.Contains(string(v.Query), "etl_") {
					t.Errorf("%s: variable %s asks for %s", board, v.Name, v.Query)
				}
			}
		}
	}
}

func TestWithNamespace_Default(t *testing.T) {
	t.Parallel()
	want, err := dashboards.Generate()
	if err != nil {
		t.Fatal(err)
	}
	got, err := dashboards.Generate(nil, dashboards.WithNamespace("flow"), dashboards.WithNamespace(""), dashboards.WithFreshness(-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the last options are the defaults (-want +got):\n%s", diff)
	}
}

func TestWithLabels(t *testing.T) {
	t.Parallel()
	labels := []string{"cluster", "env"}
	opt := dashboards.WithLabels(labels...)
	labels[0] = "changed"
	selector := regexp.MustCompile(`\betl_\w+\{([^}]*)\}`)
	for _, q := range queries(t, opt) {
		for _, match := range selector.FindAllStringSubmatch(q.Expr, -1) {
			if !strings.Contains(match[1], `cluster=~"$cluster",env=~"$env"`) {
				t.Errorf("%s: %s does not select by the labels", name(q), match[0])
			}
		}
	}
	for board, b := range read(t, opt) {
		var names []string
		for _, v := range b.Templating.List {
			names = append(names, v.Name)
		}
		if !slices.Contains(names, "cluster") || !slices.Contains(names, "env") {
			t.Errorf("%s: got variables %v, want cluster and env", board, names)
		}
	}
}

func TestWithFreshness(t *testing.T) {
	t.Parallel()
	files, err := dashboards.Generate(dashboards.WithFreshness(24 * time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"value": 86400`, `"value": 172800`, "Less than 24h, or"} {
		if !strings.Contains(string(files["flow.json"]), want) {
			t.Errorf("got a flow board without %s", want)
		}
	}
}

func TestWithoutKubernetes(t *testing.T) {
	t.Parallel()
	for _, q := range queries(t, dashboards.WithoutKubernetes()) {
		if q.Optional || strings.Contains(q.Expr, "kube_") {
			t.Errorf("got %s", name(q))
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "boards")
	for range 2 { // The second time, the files exist.
		if err := dashboards.Write(dir); err != nil {
			t.Fatal(err)
		}
	}
	want, err := dashboards.Generate()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]byte{}
	for name := range maps.Keys(want) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		got[name] = text
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestWrite_Fails(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "flow.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, folder} {
		if err := dashboards.Write(dir); err == nil || !strings.HasPrefix(err.Error(), "dashboards: ") {
			t.Errorf("Write(%s) = %v, want an error of the package", dir, err)
		}
	}
}

func TestGenerate_Concurrently(t *testing.T) {
	t.Parallel()
	want, err := dashboards.Generate()
	if err != nil {
		t.Fatal(err)
	}
	opt := dashboards.WithLabels("cluster")
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			if i%2 == 0 {
				if _, err := dashboards.Generate(opt, dashboards.WithNamespace("flow")); err != nil {
					t.Error(err)
				}
				return
			}
			got, err := dashboards.Generate()
			if err != nil || !maps.EqualFunc(want, got, slices.Equal[[]byte]) {
				t.Errorf("got other boards, or %v", err)
			}
		})
	}
	wg.Wait()
}
