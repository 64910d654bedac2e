// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/flowtest/internal/otlp"
)

// kept writes the spans to a file that the command waybill reads, if the test keeps its
// artifacts, and returns how to look at them. Otherwise the directory of artifacts is
// removed when the test ends.
func (r *Recording) kept() string {
	if f := flag.Lookup("test.artifacts"); f == nil || f.Value.String() != "true" {
		return "With go test -artifacts, the spans are kept in a file for waybill report."
	}
	file, err := writeArtifact(r.artifactDir(), r.stubs)
	if err != nil {
		return fmt.Sprintf("The spans are not kept: %v", err)
	}
	return "The spans are kept. To see them as a page: waybill report " + file
}

// artifactDir returns the directory for artifacts of the test, or "" if its
// [testing.TB], which may be one of the user's, has none.
func (r *Recording) artifactDir() (dir string) {
	defer func() { _ = recover() }()
	return r.t.ArtifactDir()
}

var errNoArtifacts = errors.New("the testing.TB has no directory for artifacts")

// writeArtifact writes spans to a new file in dir, and returns its name.
func writeArtifact(dir string, spans []tracetest.SpanStub) (name string, err error) {
	if dir == "" {
		return "", errNoArtifacts
	}
	f, err := newFile(dir)
	if err != nil {
		return "", err
	}
	w := bufio.NewWriter(f)
	return f.Name(), errors.Join(otlp.Write(w, spans), w.Flush(), f.Close())
}

// newFile makes flow.jsonl in dir, or if it exists flow-2.jsonl and so on.
func newFile(dir string) (*os.File, error) {
	for n := 1; ; n++ {
		name := "flow.jsonl"
		if n > 1 {
			name = fmt.Sprintf("flow-%d.jsonl", n)
		}
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if !errors.Is(err, os.ErrExist) {
			return f, err
		}
	}
}
