// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
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
	cmd := &cobra.Command{
		Use:   "report [FILE...] -o flow.html",
		Short: "Write a flow as one page to open or to mail",
		Long: "Report writes the flow as one HTML file: the verdict, the findings, the picture, the\n" +
			"stages and the hops. The file opens in any browser, makes no request, and shows the\n" +
			"flow as text where scripts are switched off.",
		Example: "  waybill report spans.jsonl -o flow.html\n" +
			"  waybill report --service billing --since 10m spans/*.jsonl.gz",
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := read(cmd, args)
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
	return cmd
}

// writeFile writes a file, which is there whole or not at all.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".waybill-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // It is gone if all went well.
	w := bufio.NewWriter(f)
	err = errors.Join(write(w), w.Flush(), f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
