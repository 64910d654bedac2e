// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/internal/flow"
)

// levels are the values of --fail-on.
var levels = map[string]flow.Level{"violation": flow.Violation, "warning": flow.Warning, "info": flow.Info}

// diagnosis is what doctor found.
type diagnosis struct {
	Summary  string
	Broken   bool       // Reports whether a flow is broken.
	Findings []*finding // The worst first.
	Omitted  int        // How many more findings there are.
	Allowed  bool       // Reports whether findings were left out as the user asked.
	Source   string     // The recording, or its first file.
}

// formats are the values of --format.
var formats = map[string]func(io.Writer, *diagnosis) error{
	"text": writeText, "json": writeJSON, "junit": writeJUnit, "github": writeGitHub, "sarif": writeSARIF,
}

// doctorFlags are the flags of doctor.
type doctorFlags struct {
	format, failOn           string
	allow, boundary, journal []string
	window                   time.Duration
	follow                   bool
	live                     listening
}

func newDoctor() *cobra.Command {
	var flags doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor [FILE...]",
		Short: "Say what is wrong with a flow, and what to change",
		Long: "Doctor reads recorded spans and prints what is wrong with their flows, the worst first:\n" +
			"what happened, the evidence, what to change, and how sure it is.\n\n" +
			"A program that runs with WAYBILL_JOURNAL=FILE notes in that file each call that writes or\n" +
			"reads a context. Given with --journal, it tells which call lost a context, and where it is\n" +
			"in the code.\n\n" +
			"With --window, doctor reads a stream that need not end, in bounded memory: a flow of which\n" +
			"no span has come for that time is judged and forgotten. A finding is printed when it is\n" +
			"found first, and all of them in the end, which is also at Ctrl-C.",
		Example: "  waybill doctor spans.jsonl\n" +
			"  waybill doctor --format github --fail-on warning spans/*.jsonl.gz\n" +
			"  waybill doctor --allow P18,P21 --boundary billing - < spans.jsonl\n" +
			"  waybill doctor --journal journal.jsonl spans.jsonl\n" +
			"  waybill doctor --listen 127.0.0.1:4318 --for 1m\n" +
			"  waybill doctor --window 10m --follow /var/log/spans.jsonl",
		RunE: flags.run,
	}
	f := cmd.Flags()
	f.StringVar(&flags.format, "format", "text", "the `FORM` of the findings: "+names(formats))
	f.StringVar(&flags.failOn, "fail-on", "violation", "the least `LEVEL` with which the exit code is 1: violation, warning or info; a flow that is BROKEN always has it")
	f.StringSliceVar(&flags.allow, "allow", nil, "the `IDS` of findings to leave out, as P18,P21")
	f.StringSliceVar(&flags.boundary, "boundary", nil, "`SERVICES` that are recorded elsewhere")
	f.DurationVar(&flags.window, "window", 0, "judge and forget flows of which no span has come for this `TIME`, as 10m; the default is to judge all at the end")
	f.BoolVar(&flags.follow, "follow", false, "with --window: wait for what is appended to the file, until Ctrl-C")
	addJournalFlag(cmd, &flags.journal)
	flags.live.addFlags(cmd)
	return cmd
}

func (f *doctorFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.check(args); err != nil {
		return err
	}
	judge := f.judge
	if f.window > 0 {
		judge = f.watch
	}
	d, err := judge(cmd, args)
	if err != nil {
		return err
	}
	d.Source = expand(args)[0]
	if err := unlessClosed(formats[f.format](cmd.OutOrStdout(), d)); err != nil {
		return err
	}
	if slices.ContainsFunc(d.Findings, func(found *finding) bool { return f.fails(d, found) }) {
		return errFindings
	}
	return nil
}

// fails reports whether the exit code is 1 for a finding: by its level, or because a flow
// is broken where it is.
func (f *doctorFlags) fails(d *diagnosis, found *finding) bool {
	breaks := d.Broken && found.Level > flow.Info && found.From != nil && found.To != nil
	return found.Level >= levels[f.failOn] || breaks
}

// check checks the flags.
func (f *doctorFlags) check(args []string) error {
	if formats[f.format] == nil {
		return fmt.Errorf("unknown format %q; the formats are %s", f.format, names(formats))
	}
	if _, ok := levels[f.failOn]; !ok {
		return fmt.Errorf("unknown level %q; the levels are %s", f.failOn, names(levels))
	}
	for _, id := range f.allow {
		if flow.Title(id) == "" {
			return fmt.Errorf("unknown finding %q; they are P01 to P24", id)
		}
	}
	switch {
	case f.window < 0:
		return errors.New("--window must not be negative")
	case f.follow && f.window == 0:
		return errors.New("--follow needs --window")
	case f.follow && len(args) != 1:
		return errors.New("--follow needs one file")
	case f.window > 0 && len(f.live.addresses) > 0:
		return errors.New("give either --window or --listen")
	case f.window > 0 && len(f.journal) > 0:
		return errors.New("give either --window or --journal")
	}
	return nil
}

// judge finds what is wrong with a recording.
func (f *doctorFlags) judge(cmd *cobra.Command, args []string) (*diagnosis, error) {
	r, err := f.live.read(cmd, args, flow.Reads)
	if err != nil {
		return nil, err
	}
	entries, err := readJournals(cmd, f.journal)
	if err != nil {
		return nil, err
	}
	return diagnose(r.Spans, flow.Expectation{Boundary: f.boundary, Journal: entries}, f.allow), nil
}

// diagnose finds what is wrong with spans.
func diagnose(spans []flow.Span, expect flow.Expectation, allow []string) *diagnosis {
	g := flow.New(spans)
	d := g.Diagnose(expect)
	all := &findings{allow: allow}
	for i := range d.Findings {
		all.add(g, &d.Findings[i])
	}
	return &diagnosis{Summary: d.Summary(g), Broken: d.Verdict() == flow.Broken, Findings: all.list, Omitted: d.Omitted, Allowed: len(all.list) < len(d.Findings)}
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
	for _, f := range d.Findings {
		b.WriteString("\n" + describe(out, f))
	}
	if d.Omitted > 0 {
		fmt.Fprintf(&b, "\nThere are %s more findings.\n", flow.Count(d.Omitted))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// describe describes f in paragraphs of the width of out.
func describe(out io.Writer, f *finding) string {
	width := columns(out)
	head := f.head()
	what := wrap(head+"  "+printable(f.What)+times(f.Count), width, "    ")
	return paint(out, colors[f.Level], head) + strings.TrimPrefix(what, head) + "\n" +
		wrap("    Why:  "+printable(f.Why), width, "          ") + "\n" +
		wrap("    Fix:  "+printable(f.Fix), width, "          ") + "\n" +
		paint(out, dim, wrap("    This is "+f.Sure.String()+". See "+flow.Page(f.ID), width, "    ")) + "\n"
}

// head returns the id and the level of f.
func (f *finding) head() string { return f.ID + " " + f.Level.String() }

// colors are those of the levels.
var colors = map[flow.Level]string{flow.Violation: red, flow.Warning: yellow, flow.Info: cyan}

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
