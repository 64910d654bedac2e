// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:generate go run ../internal/writeboards

//go:embed *.json
var files embed.FS

// FS returns the boards for the default options, as flow.json, stages.json,
// quality.json and runtime.json.
func FS() fs.FS { return files }

// Generate returns the boards for opts, by the names of their files. It returns an
// error if an option is invalid, which names the value.
func Generate(opts ...Option) (map[string][]byte, error) {
	c := newConfig(opts)
	if err := c.validate(); err != nil {
		return nil, err
	}
	all := make(map[string][]byte, len(boards))
	for _, b := range boards {
		text, err := b.dashboard(c).marshal()
		if err != nil {
			return nil, fmt.Errorf("dashboards: %s: %w", b.name, err)
		}
		all[b.name+".json"] = text
	}
	return all, nil
}

// Write writes the boards for opts into the folder dir, which it creates if it does
// not exist. Files of the same names are replaced. If an option is invalid, nothing
// is written.
func Write(dir string, opts ...Option) error {
	all, err := Generate(opts...)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // Grafana reads it as another user.
		return fmt.Errorf("dashboards: %w", err)
	}
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil { //nolint:gosec // As above.
			return fmt.Errorf("dashboards: %w", err)
		}
	}
	return nil
}
