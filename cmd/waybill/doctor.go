// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/internal/flow"
)

// levels are the values of --fail-on.
var levels = map[string]flow.Level{"violation": flow.Violation, "warning": flow.Warning, "info": flow.Info}

// diagnosis is what doctor found.
type diagnosis struct {
	Summary  string
	Graph    *flow.Graph
	Findings []flow.Finding
	Omitted  int    // How many more findings there are.
	Allowed  bool   // Reports whether findings were left out as the user asked.
	Source   string // The recording, or its first file.
}

// formats are the values of --format.
var formats = map[string]func(io.Writer, *diagnosis) error{
	"text": writeText, "json": writeJSON, "junit": writeJUnit, "github": writeGitHub, "sarif": writeSARIF,
}

func newDoctor() *cobra.Command {
	var format, failOn string
	var allow, boundary, journal []string
	var live listening
	cmd := &cobra.Command{
		Use:   "doctor [FILE...]",
		Short: "Say what is wrong with a flow, and what to change",
		Long: "Doctor reads recorded spans and prints what is wrong with their flows, the worst first:\n" +
			"what happened, the evidence, what to change, and how sure it is.\n\n" +
			"A program that runs with WAYBILL_JOURNAL=FILE notes in that file each call that writes or\n" +
			"reads a context. Given with --journal, it tells which call lost a context, and where it is\n" +
			"in the code.",
		Example: "  waybill doctor spans.jsonl\n" +
			"  waybill doctor --format github --fail-on warning spans/*.jsonl.gz\n" +
			"  waybill doctor --allow P18,P21 --boundary billing - < spans.jsonl\n" +
			"  waybill doctor --journal journal.jsonl spans.jsonl\n" +
			"  waybill doctor --listen 127.0.0.1:4318 --for 1m",
		RunE: func(cmd *cobra.Command, args []string) error {
			write, ok := formats[format]
			if !ok {
				return fmt.Errorf("unknown format %q; the formats are %s", format, names(formats))
			}
			level, ok := levels[failOn]
			if !ok {
				return fmt.Errorf("unknown level %q; the levels are %s", failOn, names(levels))
			}
			if err := checkRules(allow); err != nil {
				return err
			}
			r, err := live.read(cmd, args)
			if err != nil {
				return err
			}
			entries, err := readJournals(cmd, journal)
			if err != nil {
				return err
			}
			d := diagnose(r.Spans, flow.Expectation{Boundary: boundary, Journal: entries}, allow)
			d.Source = expand(args)[0]
			if err := unlessClosed(write(cmd.OutOrStdout(), d)); err != nil {
				return err
			}
			if slices.ContainsFunc(d.Findings, func(f flow.Finding) bool { return f.Level >= level }) {
				return errFindings
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "the `FORM` of the findings: "+names(formats))
	cmd.Flags().StringVar(&failOn, "fail-on", "violation", "the least `LEVEL` with which the exit code is 1: violation, warning or info")
	cmd.Flags().StringSliceVar(&allow, "allow", nil, "the `IDS` of findings to leave out, as P18,P21")
	cmd.Flags().StringSliceVar(&boundary, "boundary", nil, "`SERVICES` that are recorded elsewhere")
	addJournalFlag(cmd, &journal)
	live.addFlags(cmd)
	return cmd
}

// diagnose finds what is wrong with spans.
func diagnose(spans []flow.Span, expect flow.Expectation, allow []string) *diagnosis {
	g := flow.New(spans)
	found := g.Diagnose(expect)
	left := slices.DeleteFunc(slices.Clone(found.Findings), func(f flow.Finding) bool { return slices.Contains(allow, f.ID) })
	return &diagnosis{
		Summary: found.Summary(g), Graph: g, Findings: left, Omitted: found.Omitted, Allowed: len(left) < len(found.Findings),
	}
}

func checkRules(ids []string) error {
	for _, id := range ids {
		if !slices.ContainsFunc(flow.Rules(), func(r flow.Rule) bool { return r.ID == id }) {
			return fmt.Errorf("unknown finding %q; they are P01 to P24", id)
		}
	}
	return nil
}

// writeText writes findings for a person.
func writeText(out io.Writer, d *diagnosis) error {
	width := columns(out)
	var b strings.Builder
	fmt.Fprintln(&b, paint(out, bold, wrap(d.Summary, width, "")))
	switch {
	case len(d.Findings) > 0:
	case d.Allowed:
		b.WriteString("\nNothing is wrong beyond what is allowed.\n")
	default:
		b.WriteString("\nNothing is wrong.\n")
	}
	for i := range d.Findings {
		f := &d.Findings[i]
		color := map[flow.Level]string{flow.Violation: red, flow.Warning: yellow, flow.Info: cyan}[f.Level]
		head := f.ID + " " + f.Level.String()
		what := wrap(head+"  "+printable(f.What)+times(f.Count), width, "    ")
		fmt.Fprintf(&b, "\n%s\n", paint(out, color, head)+strings.TrimPrefix(what, head))
		fmt.Fprintln(&b, wrap("    Why:  "+printable(f.Why), width, "          "))
		fmt.Fprintln(&b, wrap("    Fix:  "+printable(f.Fix), width, "          "))
		fmt.Fprintf(&b, "    %s\n", paint(out, dim, "This is "+f.Sure.String()+". See "+flow.Page(f.ID)))
	}
	if d.Omitted > 0 {
		fmt.Fprintf(&b, "\nThere are %s more findings.\n", flow.Count(d.Omitted))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// times returns " (n times)" for n over 1.
func times(n int) string {
	if n == 1 {
		return ""
	}
	return " (" + flow.Count(n) + " times)"
}

// names returns the keys of m in order, for a message.
func names[V any](m map[string]V) string { return strings.Join(sorted(m), ", ") }

// sorted returns the keys of m in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
