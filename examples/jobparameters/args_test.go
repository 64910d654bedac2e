// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// parse parses arguments with package flag.
func parse(args []string) string {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	day, verbose, n := set.String("day", "", ""), set.Bool("verbose", false, ""), set.Int("n", 0, "")
	err := set.Parse(args)
	return fmt.Sprintf("day %q, verbose %t, n %d, operands %q, error %v", *day, *verbose, *n, set.Args(), err)
}

// pparse parses arguments with the flags of cobra, which may stand behind operands.
func pparse(args []string) string {
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	day, verbose, n := set.StringP("day", "d", "", ""), set.BoolP("verbose", "v", false, ""), set.CountP("n", "n", "")
	optional := set.String("optional", "", "")
	set.Lookup("optional").NoOptDefVal = "none"
	err := set.Parse(args)
	return fmt.Sprintf("day %q, verbose %t, n %d, optional %q, operands %q, error %v", *day, *verbose, *n, *optional, set.Args(), err)
}

// A program sees its own arguments only, whichever parser it has and whatever they are.
func FuzzTakeArgs(f *testing.F) {
	for _, line := range []string{
		"run --day mon", "-verbose --verbose=false -n 3 x", "-vnn -dmon --optional x", "--day=mon -- --traceparent=x", "-- --", "--day -- x", "--unknown x", "--n --day",
	} {
		f.Add(line)
	}
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	ctx := trace.ContextWithSpanContext(context.Background(), sc)
	with := jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()))
	f.Fuzz(func(t *testing.T, line string) {
		_, args := jobcarrier.TakeArgs(strings.Split(line, " "), with)
		remote, rest := jobcarrier.TakeArgs(jobcarrier.InjectArgs(ctx, args, with), with)
		if remote.SpanContext().SpanID() != sc.SpanID() || remote.Waybill().Hops != 1 {
			t.Errorf("of %q the context %v, %v is read", args, remote.SpanContext(), remote.Waybill())
		}
		if !slices.Equal(rest, args) {
			t.Errorf("of %q it leaves %q", args, rest)
		}
		for parser, parse := range map[string]func([]string) string{"flag": parse, "pflag": pparse} {
			if got, want := parse(rest), parse(args); got != want {
				t.Errorf("%s parses %s, want %s", parser, got, want)
			}
		}
	})
}

// A program that declares the flags with pflag needs no TakeArgs, except for flags that it
// does not know of yet.
func TestInjectArgs_DeclaredFlags(t *testing.T) {
	t.Parallel()
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	with := jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()))
	for _, own := range [][]string{{}, {"run"}, {"run", "--verbose"}, {"run", "--", "--day"}} {
		set := pflag.NewFlagSet("", pflag.ContinueOnError)
		set.SetOutput(io.Discard)
		set.Bool("verbose", false, "")
		declared := map[string]*string{}
		for _, d := range jobcarrier.ParameterDefinitions(with) {
			declared[d.Name] = set.String(d.Name, d.Default, "")
		}
		if err := set.Parse(jobcarrier.InjectArgs(ctx, own, with)); err != nil {
			t.Fatal(err)
		}
		params := map[string]string{}
		for name, value := range declared {
			params[name] = *value
		}
		if got := jobcarrier.Read(params, with).SpanContext(); got.SpanID() != (trace.SpanID{2}) {
			t.Errorf("of %q pflag reads %v", own, params)
		}
	}
}
