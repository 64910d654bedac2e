// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// updateKey is the environment variable that makes [Recording.Golden] write.
const updateKey = "UPDATE_FLOW"

// goldenKeys returns the attributes that a golden file has by default. A key that
// ends with a dot selects all keys that begin with it.
func goldenKeys() []string {
	return []string{
		"messaging.system", "messaging.destination.name", "messaging.operation.name",
		"db.system.name", "db.collection.name",
		"etl.", "waybill.",
		"error.type",
	}
}

// extractKey is the attribute that says how an extraction ended. It is set in tests
// only, so that a golden file is the same as one of another recording.
const extractKey = "waybill.extract"

// goldenConfig selects the attributes of a golden file.
type goldenConfig struct{ with, without []string }

// GoldenOption configures [Recording.Golden]. Options with keys add up. Nil options
// are ignored.
type GoldenOption interface {
	applyGolden(c goldenConfig) goldenConfig
}

type goldenOptionFunc func(goldenConfig) goldenConfig

func (f goldenOptionFunc) applyGolden(c goldenConfig) goldenConfig { return f(c) }

// WithAttributes adds attributes to the golden file. A key that ends with a dot, as
// "app.", selects all keys that begin with it.
func WithAttributes(keys ...string) GoldenOption {
	return goldenOptionFunc(func(c goldenConfig) goldenConfig {
		c.with = append(c.with, keys...)
		return c
	})
}

// WithoutAttributes removes attributes from the golden file, such as attributes
// whose values differ between runs. It takes precedence over [WithAttributes]. A key
// that ends with a dot selects all keys that begin with it.
func WithoutAttributes(keys ...string) GoldenOption {
	return goldenOptionFunc(func(c goldenConfig) goldenConfig {
		c.without = append(c.without, keys...)
		return c
	})
}

// keep reports whether the golden file has the attribute key.
func (c goldenConfig) keep(key string) bool {
	return selects(c.with, key) && !selects(c.without, key)
}

func selects(keys []string, key string) bool {
	return slices.ContainsFunc(keys, func(k string) bool {
		return k == key || strings.HasSuffix(k, ".") && strings.HasPrefix(key, k)
	})
}

// Golden compares the flow with the text file at path, and fails the test if they
// differ. If the environment has UPDATE_FLOW=1, Golden writes the file instead, and
// makes its directories.
//
// The file has one line for each span, below its parent: service, name, kind,
// attributes, and ERROR if the status is Error. Siblings that are equal share a
// line that ends with their number, as ×3. A line with ⇢ below a span is a link,
// with the path of its target. The file has no ids, times or hosts, and siblings are
// sorted by their text.
//
// The attributes are etl.*, waybill.* but for waybill.extract, error.type, messaging.system,
// messaging.destination.name, messaging.operation.name, db.system.name and
// db.collection.name. [WithAttributes] adds others.
func (r *Recording) Golden(path string, opts ...GoldenOption) {
	r.t.Helper()
	c := goldenConfig{with: goldenKeys(), without: []string{extractKey}}
	for _, opt := range opts {
		if opt != nil {
			c = opt.applyGolden(c)
		}
	}
	got := r.graph.Text(c.keep)
	if os.Getenv(updateKey) == "1" {
		r.update(path, got)
		return
	}
	want, err := os.ReadFile(filepath.Clean(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.errorf("Golden: there is no %s; %s=1 writes it:\n\n%s", path, updateKey, got)
	case err != nil:
		r.errorf("Golden: %v", err)
	default:
		// A checkout on Windows may have changed the line ends.
		if lines := diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got); lines != "" {
			r.errorf("Golden: the flow is not as in %s (-); %s=1 rewrites it:\n\n%s", path, updateKey, lines)
		}
	}
}

func (r *Recording) update(path, text string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.fatalf("Golden: %v", err)
		return
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.fatalf("Golden: %v", err)
		return
	}
	r.t.Logf("flowtest: Golden: wrote %s", path)
}
