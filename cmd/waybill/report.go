// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/internal/flow"
	"github.com/waybill-go/waybill/internal/page"
)

func newReport() *cobra.Command {
	var output, title string
	var boundary, journal []string
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
			r, err := live.read(cmd, args, nil)
			if err != nil {
				return err
			}
			entries, err := readJournals(cmd, journal)
			if err != nil {
				return err
			}
			g, d, err := selected.diagnose(r.Spans, flow.Expectation{Boundary: boundary, Journal: entries})
			if err != nil {
				return err
			}
			report := page.Report{Title: title, Graph: g, Diagnosis: d}
			if output == "-" {
				return buffered(cmd.OutOrStdout(), func(w io.Writer) error { return page.Write(w, report) })
			}
			return writeFile(output, func(w io.Writer) error { return page.Write(w, report) })
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "flow.html", "the `FILE` to write, or - for standard output")
	cmd.Flags().StringVar(&title, "title", "", "the `TITLE` of the page")
	cmd.Flags().StringSliceVar(&boundary, "boundary", nil, "`SERVICES` that are recorded elsewhere")
	selected.addFlags(cmd)
	addJournalFlag(cmd, &journal)
	live.addFlags(cmd)
	return cmd
}
