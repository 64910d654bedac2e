// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/flowtest"
)

// keeper is a test that keeps its artifacts in a directory.
type keeper struct {
	*fake

	dir string
}

func (k keeper) ArtifactDir() string { return k.dir }

// keepArtifacts makes the tests of the process keep their artifacts until t ends.
func keepArtifacts(t *testing.T) {
	t.Helper()
	t.Setenv("FLOWTEST_EXCLUSIVE", "1") // No other test runs at the same time.
	before := flag.Lookup("test.artifacts").Value.String()
	if err := flag.Set("test.artifacts", "true"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("test.artifacts", before) })
}

func TestFailure_Artifact(t *testing.T) {
	keepArtifacts(t)
	dir := t.TempDir()
	for _, file := range []string{"flow.jsonl", "flow-2.jsonl"} {
		name := filepath.Join(dir, file)
		f := run(t, func(tb testing.TB) {
			recorded(keeper{fake: tb.(*fake), dir: dir}, forgotten).Span("load").Times(2).Times(3)
		})
		if want := "To see them as a page: waybill report " + name; strings.Count(f.text.String(), want) != 1 {
			t.Errorf("printed:\n%s\nwant once: %s", f.text.String(), want)
		}
		text, err := os.ReadFile(name)
		if err != nil || strings.Count(string(text), "\n") != 5 {
			t.Errorf("%s has %d lines, error %v; want 5, nil", file, strings.Count(string(text), "\n"), err)
		}
	}
}

func TestFailure_ArtifactThatCannotBeKept(t *testing.T) {
	keepArtifacts(t)
	for name, tt := range map[string]struct {
		tb   testing.TB
		want string
	}{
		"a directory that is gone":      {tb: keeper{fake: &fake{TB: t}, dir: filepath.Join(t.TempDir(), "gone")}, want: "The spans are not kept: open "},
		"a testing.TB without the rest": {tb: &fake{}, want: "The spans are not kept: the testing.TB has no directory"},
	} {
		f, isFake := tt.tb.(*fake)
		if !isFake {
			f = tt.tb.(keeper).fake
		}
		spans := stubs(t, asParent)
		flowtest.FromSpans(tt.tb, spans...).Span("load").Times(2)
		if !strings.Contains(f.text.String(), tt.want) {
			t.Errorf("%s: printed:\n%s\nwant %q", name, f.text.String(), tt.want)
		}
	}
}
