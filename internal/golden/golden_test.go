// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package golden_test

import (
	"os"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/internal/golden"
)

// recorder is a test that remembers how it failed.
type recorder struct {
	testing.TB

	failed string
}

func (r *recorder) Helper()                      {}
func (r *recorder) Errorf(_ string, args ...any) { r.failed, _ = args[len(args)-1].(string) }
func (r *recorder) Fatal(args ...any)            { r.failed = "fatal"; panic(args) }

// It changes the working directory and the environment.
func TestCompare(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("testdata", 0o700); err != nil {
		t.Fatal(err)
	}
	compare := func(got string) string {
		r := &recorder{TB: t}
		defer func() { _ = recover() }()
		golden.Compare(r, "text", got)
		return r.failed
	}
	if compare("one\n"); fileText(t) != "" {
		t.Error("a file that is missing was made")
	}
	t.Setenv("UPDATE_GOLDEN", "1")
	if failed := compare("one\ntwo\n"); failed != "" || fileText(t) != "one\ntwo\n" {
		t.Errorf("the file holds %q: %s", fileText(t), failed)
	}
	t.Setenv("UPDATE_GOLDEN", "")
	if err := os.WriteFile("testdata/text", []byte("one\r\ntwo\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if failed := compare("one\ntwo\n"); failed != "" {
		t.Errorf("the same text differs: %s", failed)
	}
	if failed := compare("one\nthree\n"); !strings.Contains(failed, "three") {
		t.Errorf("another text gives %q", failed)
	}
}

func fileText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/text")
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}
