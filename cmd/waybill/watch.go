// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
	"github.com/waybill-go/waybill/cmd/waybill/internal/window"
	"github.com/waybill-go/waybill/internal/flow"
)

// watch finds what is wrong with a stream, and prints a finding when it is found first.
func (f *doctorFlags) watch(cmd *cobra.Command, args []string) (*diagnosis, error) {
	ctx, stop := untilInterrupt(cmd.Context())
	defer stop()
	all := &findings{allow: f.allow}
	news := &bulletin{out: cmd.OutOrStdout(), silent: f.format != "text"}
	w := window.New(window.Config{
		Quiet: f.window, Expect: flow.Expectation{Boundary: f.boundary},
		Found: func(g *flow.Graph, f *flow.Finding) { news.print(all.add(g, f)) },
	})
	reader := &recording.Reader{Stdin: cmd.InOrStdin(), Keep: flow.Reads, Follow: f.follow, Idle: func() { w.Idle(time.Second) }}
	r, err := reader.Each(ctx, func(spans []flow.Span) error {
		w.Add(spans)
		return news.err
	}, expand(args)...)
	stop() // From here on, Ctrl-C ends the program.
	interrupted := errors.Is(err, context.Canceled)
	if err != nil && !interrupted && unlessClosed(err) != nil {
		return nil, err
	}
	if interrupted && r.Count == 0 {
		return nil, recording.ErrNoSpans
	}
	printDamages(cmd, r)
	end := w.Close
	if interrupted {
		end = w.Interrupt
	}
	totals := end()
	if len(all.list) > 0 {
		news.line("")
	}
	return &diagnosis{Summary: summary(&totals, f.window), Broken: totals.Flows[flow.Broken] > 0, Findings: all.sorted(), Omitted: all.omitted + totals.Omitted}, unlessClosed(news.err)
}

// summary says in one line what was judged.
func summary(t *window.Totals, quiet time.Duration) string {
	var kinds []string
	for _, v := range []flow.Verdict{flow.Broken, flow.Linked, flow.Connected} {
		if n := t.Flows[v]; n > 0 {
			kinds = append(kinds, flow.Count(n)+" "+string(v))
		}
	}
	text := flow.Plural(t.Judged(), "flow")
	if len(kinds) > 0 {
		text += " (" + strings.Join(kinds, ", ") + ")"
	}
	text += "; " + flow.Plural(t.Spans, "span") + ", " + flow.Plural(t.Services, "service") + ", " + flow.Plural(t.Traces, "trace")
	if t.Flows[flow.Broken] > 0 {
		text = "BROKEN: " + text
	}
	for _, note := range []struct {
		n    int
		text string
	}{
		{t.Early, " judged early, because too many were active"},
		{t.Open, " still active and not judged"},
	} {
		if note.n > 0 {
			text += "; " + flow.Plural(note.n, "flow") + note.text
		}
	}
	if t.Late > 0 {
		text += "; " + flow.Plural(t.Late, "span") + " came after their flow had been quiet for " + quiet.String() + ", and were left out"
	}
	return text
}

// bulletin prints findings while they are found.
type bulletin struct {
	out    io.Writer
	silent bool
	err    error // The first one of printing.
}

// print prints a finding when it is new, and its number whenever that is ten times as
// large as when it was printed.
func (b *bulletin) print(f *finding, before int) {
	switch {
	case f == nil:
	case before == 0:
		b.line(strings.TrimSuffix(describe(b.out, f), "\n"))
		b.line("")
	case magnitude(f.Count) > magnitude(before):
		b.line(fmt.Sprintf("%s  %s (%s times so far)\n", paint(b.out, colors[f.Level], f.head()), printable(f.What), flow.Count(f.Count)))
	}
}

func (b *bulletin) line(text string) {
	if b.silent || b.err != nil {
		return
	}
	_, b.err = io.WriteString(b.out, text+"\n")
}

// magnitude returns the number of digits of n.
func magnitude(n int) int { return len(strconv.Itoa(n)) }
