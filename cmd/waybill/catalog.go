// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/cmd/waybill/internal/catalog"
	"github.com/waybill-go/waybill/internal/flow"
)

// catalogFormats are the values of --format.
var catalogFormats = map[string]func(c *catalog.Catalog, out io.Writer) error{
	"markdown": func(c *catalog.Catalog, out io.Writer) error { return c.WriteMarkdown(out, columns(out)) },
	"json":     func(c *catalog.Catalog, out io.Writer) error { return encodeJSON(out, c) },
	"mermaid":  (*catalog.Catalog).WriteMermaid,
	"dot":      (*catalog.Catalog).WriteDOT,
}

// diffFormats are the values of --format with --diff.
var diffFormats = map[string]func(d *catalog.Diff, out io.Writer) error{
	"markdown": func(d *catalog.Diff, out io.Writer) error { return d.WriteMarkdown(out, columns(out)) },
	"json":     func(d *catalog.Diff, out io.Writer) error { return encodeJSON(out, d) },
}

// anyChange is the value of --fail-on for all kinds of changes.
const anyChange = "any"

// catalogFlags are the flags of catalog.
type catalogFlags struct {
	format   string
	old      string
	failOn   []string
	slower   float64 // In per cent.
	failing  float64 // In percentage points.
	minHops  int
	boundary []string
	selected selection
	live     listening
}

func newCatalog() *cobra.Command {
	var flags catalogFlags
	cmd := &cobra.Command{
		Use:   "catalog [FILE...]",
		Short: "List services, destinations and the edges between them",
		Long: "Catalog lists what a recording shows of a system: its services, the topics, queues and\n" +
			"collections between them, and the edges over which data goes, with the number of hops,\n" +
			"the share of errors, and the median and the 95th percentile of two times: a hop lasts from\n" +
			"the start of the sending span to the start of the receiving one, and data is in a queue\n" +
			"from the end of the one to the start of the other.\n\n" +
			"With --diff it prints how the system differs from an earlier recording, or from a catalog\n" +
			"that was written with --format json: what appeared, vanished, is slower, fails more often,\n" +
			"or loses the context more often. Medians and shares of fewer than --min-hops hops are not\n" +
			"compared, nor 95th percentiles of fewer than five times as many, nor differences of less\n" +
			"than a millisecond, nor errors that chance explains.",
		Example: "  waybill catalog spans.jsonl\n" +
			"  waybill catalog --format json spans.jsonl > catalog.json\n" +
			"  waybill catalog --diff catalog.json --fail-on vanished,slower today.jsonl.gz\n" +
			"  waybill catalog --format dot spans.jsonl | dot -Tsvg > system.svg",
		RunE: flags.run,
	}
	f := cmd.Flags()
	f.StringVar(&flags.format, "format", "markdown", "the `FORM` of the catalog: "+names(catalogFormats)+"; with --diff: "+names(diffFormats))
	f.StringVar(&flags.old, "diff", "", "print how the catalog differs from that of this `FILE`, a recording or a catalog in JSON")
	f.StringSliceVar(&flags.failOn, "fail-on", nil, "the `CHANGES` with which the exit code is 1: "+changeNames())
	f.Float64Var(&flags.slower, "slower", 50, "by how many `PERCENT` a time must have grown to be a change")
	f.Float64Var(&flags.failing, "failing", 1, "by how many percentage `POINTS` a share of errors or of broken hops must have grown to be a change")
	f.IntVar(&flags.minHops, "min-hops", 20, "the `NUMBER` of hops from which times and shares are compared")
	f.StringSliceVar(&flags.boundary, "boundary", nil, "`SERVICES` that are recorded elsewhere")
	flags.selected.addFlags(cmd)
	flags.live.addFlags(cmd)
	return cmd
}

// changeNames lists the values of --fail-on.
func changeNames() string {
	list := []string{anyChange}
	for _, kind := range catalog.Kinds() {
		list = append(list, string(kind))
	}
	return strings.Join(list, ", ")
}

func (f *catalogFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	var old *catalog.Catalog
	if f.old != "" {
		var err error
		if old, err = f.readOld(cmd); err != nil {
			return err
		}
	}
	r, err := f.live.read(cmd, args, flow.Reads)
	if err != nil {
		return err
	}
	made, err := f.catalog(r.Spans, f.selected)
	if err != nil {
		return err
	}
	if old == nil {
		return catalogFormats[f.format](made, cmd.OutOrStdout())
	}
	diff := made.Compare(old, catalog.Limits{Slower: f.slower / 100, Failing: f.failing / 100, MinHops: f.minHops})
	if err := unlessClosed(diffFormats[f.format](diff, cmd.OutOrStdout())); err != nil {
		return err
	}
	if slices.ContainsFunc(f.failOn, func(kind string) bool {
		return kind == anyChange && len(diff.Changes) > 0 || diff.Has(catalog.Kind(kind))
	}) {
		return errFindings
	}
	return nil
}

// check checks the flags.
func (f *catalogFlags) check(cmd *cobra.Command) error {
	if f.old == "" {
		for _, name := range []string{"fail-on", "slower", "failing", "min-hops"} {
			if cmd.Flags().Changed(name) {
				return fmt.Errorf("--%s needs --diff", name)
			}
		}
		if catalogFormats[f.format] == nil {
			return fmt.Errorf("unknown format %q; the formats are %s", f.format, names(catalogFormats))
		}
		return nil
	}
	if diffFormats[f.format] == nil {
		return fmt.Errorf("unknown format %q; with --diff the formats are %s", f.format, names(diffFormats))
	}
	for _, kind := range f.failOn {
		if kind != anyChange && !slices.Contains(catalog.Kinds(), catalog.Kind(kind)) {
			return fmt.Errorf("unknown change %q; the changes are %s", kind, changeNames())
		}
	}
	if !(f.slower >= 0) || !(f.failing >= 0) || f.minHops < 0 {
		return errors.New("--slower, --failing and --min-hops must not be negative")
	}
	return nil
}

// catalog returns the catalog of spans.
func (f *catalogFlags) catalog(spans []flow.Span, selected selection) (*catalog.Catalog, error) {
	g, d, err := selected.diagnose(spans, flow.Expectation{Boundary: f.boundary})
	if err != nil {
		return nil, err
	}
	return catalog.New(g, d), nil
}

// readOld reads what the catalog is compared with. Of a recording, the same service is
// selected, but not a flow or a time, which are those of one recording.
func (f *catalogFlags) readOld(cmd *cobra.Command) (*catalog.Catalog, error) {
	file, err := os.Open(f.old)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text := bufio.NewReaderSize(file, catalog.Sniffed)
	if head, _ := text.Peek(catalog.Sniffed); catalog.IsJSON(head) {
		c, failed := catalog.Read(text)
		if failed != nil {
			return nil, fmt.Errorf("%s: %w", f.old, failed)
		}
		return c, nil
	}
	r, err := read(cmd, []string{f.old}, flow.Reads)
	if err != nil {
		return nil, err
	}
	return f.catalog(r.Spans, selection{service: f.selected.service})
}
