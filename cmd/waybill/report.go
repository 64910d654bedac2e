// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/internal/flow"
	"github.com/waybill-go/waybill/internal/page"
)

func newReport() *cobra.Command {
	var output, title string
	var boundary []string
	var selected selection
	var live listening
	cmd := &cobra.Command{
		Use:   "report [FILE...] -o flow.html",
		Short: "Write a flow as one page to open or to mail",
		Long: "Report writes the flow as one HTML file: the verdict, the findings, the picture, the\n" +
			"stages and the hops. The file opens in any browser, makes no request, and shows the\n" +
			"flow as text where scripts are switched off.",
		Example: "  waybill report spans.jsonl -o flow.html\n" +
			"  waybill report --service billing --since 10m spans/*.jsonl.gz",
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := live.read(cmd, args)
			if err != nil {
				return err
			}
			g, d, err := selected.diagnose(r.Spans, flow.Expectation{Boundary: boundary})
			if err != nil {
				return err
			}
			report := page.Report{Title: title, Graph: g, Diagnosis: d}
			if output == "-" {
				return page.Write(cmd.OutOrStdout(), report)
			}
			return writeFile(output, func(w io.Writer) error { return page.Write(w, report) })
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "flow.html", "the file to write, or - for standard output")
	cmd.Flags().StringVar(&title, "title", "", "the title of the page")
	cmd.Flags().StringSliceVar(&boundary, "boundary", nil, "services that are recorded elsewhere")
	selected.addFlags(cmd)
	live.addFlags(cmd)
	return cmd
}

// writeFile writes a file, which is there whole or not at all. It writes to the target of
// a symbolic link, keeps the permissions of a file that it replaces, and never replaces
// what is not a file, such as a pipe or /dev/null.
func writeFile(name string, write func(io.Writer) error) error {
	var content bytes.Buffer // Little is left to go wrong while the file is written.
	if err := write(&content); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if info, err := os.Stat(name); err == nil {
		if !info.Mode().IsRegular() {
			return overwrite(name, content.Bytes())
		}
		mode = info.Mode().Perm()
		if target, err := filepath.EvalSymlinks(name); err == nil {
			name = target
		}
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".waybill-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // It is gone if all went well.
	_, err = f.Write(content.Bytes())
	if err = errors.Join(err, f.Chmod(mode), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// overwrite writes content to what has the name.
func overwrite(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0) //nolint:gosec // The user names it.
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
