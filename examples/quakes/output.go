// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// The files and directories that a run leaves in its directory.
const (
	spansFile   = "spans.jsonl"
	metricsFile = "metrics.txt"
	pageFile    = "flow.html"
	flowFile    = "flow.txt"

	logsDirectory    = "logs"
	reportsDirectory = "reports"
)

// makeDirectories creates the directories that the demo writes to, and removes the
// files that an earlier run left there.
func (d *demo) makeDirectories() error {
	if d.out == "" {
		dir, err := os.MkdirTemp("", "quakes-")
		if err != nil {
			return err
		}
		d.out, d.temporary = dir, true
	}
	out, err := filepath.Abs(d.out)
	if err != nil {
		return err
	}
	d.out = out
	for _, dir := range []string{d.out, d.logsDir(), d.reportsDir()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			d.discard()
			return d.unusable(err)
		}
	}
	for _, pattern := range []string{
		spansFile, metricsFile, pageFile, flowFile, logsDirectory + "/*.log", reportsDirectory + "/assess-*.md",
	} {
		left, _ := fs.Glob(os.DirFS(d.out), pattern) // The pattern is valid.
		for _, file := range left {
			if err := os.Remove(filepath.Join(d.out, filepath.FromSlash(file))); err != nil {
				return d.unusable(err)
			}
		}
	}
	return nil
}

// unusable returns the error of a directory that cannot be written to.
func (d *demo) unusable(err error) error {
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s (--out) is not a directory", d.out)
	}
	return fmt.Errorf("%s (--out) cannot be used: %w", d.out, err)
}

// discard removes the directory of a run that nobody will look at, unless the user
// has named it.
func (d *demo) discard() {
	if d.temporary {
		_ = os.RemoveAll(d.out) // Nothing depends on it.
	}
}

func (d *demo) logsDir() string    { return filepath.Join(d.out, logsDirectory) }
func (d *demo) reportsDir() string { return filepath.Join(d.out, reportsDirectory) }
