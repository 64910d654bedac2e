// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/internal/flow"
)

func newTree() *cobra.Command {
	var lines int
	cmd := &cobra.Command{
		Use:   "tree [FILE...]",
		Short: "Show the flow as text",
		Example: "  waybill tree spans.jsonl\n" +
			"  kubectl logs job/etl | waybill tree -",
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := read(cmd, args)
			if err != nil {
				return err
			}
			g := flow.New(r.Spans)
			out := cmd.OutOrStdout()
			tree := g.Tree(lines)
			if width := columns(out); width > 0 && lines == 0 {
				tree = g.TreeIn(width)
			}
			_, err = fmt.Fprintf(out, "%s\n\n%s", g.Diagnose(flow.Expectation{}).Summary(g), tree)
			return err
		},
	}
	cmd.Flags().IntVar(&lines, "lines", 0, "the number of lines after which the tree ends; 0 for all")
	return cmd
}
