// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/internal/flow"
)

func newTree() *cobra.Command {
	var lines int
	var selected selection
	var journal []string
	var live listening
	cmd := &cobra.Command{
		Use:   "tree [FILE...]",
		Short: "Show the flow as text",
		Long: "Tree shows what each flow of the recording did, a line a span; spans that look the same are\n" +
			"one line with their number. ⇢ stands for a link, ✗ for a place where a flow broke.",
		Example: "  waybill tree spans.jsonl\n" +
			"  waybill tree --flow 4bf92f35 --lines 100 spans.jsonl\n" +
			"  kubectl logs job/etl | waybill tree -",
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := live.read(cmd, args, flow.Reads)
			if err != nil {
				return err
			}
			entries, err := readJournals(cmd, journal)
			if err != nil {
				return err
			}
			g, d, err := selected.diagnose(r.Spans, flow.Expectation{Journal: entries})
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			tree, width := d.Tree(g, lines), columns(out)
			if width > 0 && lines == 0 {
				tree = d.TreeIn(g, width)
			}
			_, err = fmt.Fprintf(out, "%s\n\n%s", paint(out, bold, wrap(d.Summary(g), width, "")), paintBreaks(out, tree))
			return err
		},
	}
	cmd.Flags().IntVar(&lines, "lines", 0, "the `NUMBER` of lines after which the tree ends; 0 for all")
	selected.addFlags(cmd)
	addJournalFlag(cmd, &journal)
	live.addFlags(cmd)
	return cmd
}

// paintBreaks paints the notes of tree that say where a flow broke.
func paintBreaks(out io.Writer, tree string) string {
	const mark = "✗ "
	if paint(out, red, mark) == mark {
		return tree
	}
	var b strings.Builder
	for line := range strings.Lines(tree) {
		if at := strings.LastIndex(line, mark); at >= 0 {
			line = line[:at] + paint(out, red, strings.TrimSuffix(line[at:], "\n")) + "\n"
		}
		b.WriteString(line)
	}
	return b.String()
}
