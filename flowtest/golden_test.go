// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-go/waybill/flowtest"
)

func TestGolden(t *testing.T) {
	t.Parallel()
	recorded(t, asParent).Golden("testdata/parent.flow")
	recorded(t, asLink).Golden("testdata/link.flow")
	recorded(t, asLink).Golden("testdata/link-attributes.flow", nil,
		flowtest.WithAttributes("app.", "messaging.kafka.offset"),
		flowtest.WithoutAttributes("messaging.kafka.", "db.system.name"))

	f := flowtest.New(t)
	for range 3 {
		order(f, asLink)
	}
	f.Wait(time.Second).Golden("testdata/three.flow")
}

func TestGoldenOfAnotherCheckout(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/parent.flow")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "parent.flow")
	crlf := strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n", "\r\n")
	if err := os.WriteFile(path, []byte(crlf), 0o600); err != nil {
		t.Fatal(err)
	}
	recorded(t, asParent).Golden(path)
}

func TestGoldenIsWritten(t *testing.T) {
	t.Setenv("UPDATE_FLOW", "1")
	path := filepath.Join(t.TempDir(), "new", "folder", "order.flow")
	f := run(t, func(tb testing.TB) { recorded(tb, asParent).Golden(path) })
	if want := "flowtest: Golden: wrote " + path + "\n"; f.failed || f.text.String() != want {
		t.Errorf("printed %q, want %q", f.text.String(), want)
	}
	if f := run(t, func(tb testing.TB) { recorded(tb, asParent).Golden(filepath.Join(path, "x")) }); !f.failed {
		t.Error("a folder that cannot be made did not fail the test")
	}
	if f := run(t, func(tb testing.TB) { recorded(tb, asParent).Golden(filepath.Dir(path)) }); !f.failed {
		t.Error("a file that cannot be written did not fail the test")
	}
	t.Setenv("UPDATE_FLOW", "")
	recorded(t, asParent).Golden(path)
}

func TestGoldenThatDiffersFails(t *testing.T) {
	t.Setenv("UPDATE_FLOW", "")
	fails(t, "golden-none", func(tb testing.TB) { recorded(tb, asLink).Golden("testdata/none.flow") })
	fails(t, "golden-other", func(tb testing.TB) { recorded(tb, asLink).Golden("testdata/parent.flow") })
	if f := run(t, func(tb testing.TB) { recorded(tb, asLink).Golden("testdata") }); !f.failed {
		t.Error("a folder was read as a golden file")
	}
}
