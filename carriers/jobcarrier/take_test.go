// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier_test

import (
	"errors"
	"flag"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/propagation"
)

func TestTakeArgs(t *testing.T) {
	t.Parallel()
	const ours = "--traceparent=" + traceparent
	for name, test := range map[string]struct {
		args []string
		rest []string
		err  error
	}{
		"nothing":               {args: nil, rest: nil, err: propagation.ErrAbsent},
		"an empty list":         {args: []string{}, rest: []string{}, err: propagation.ErrAbsent},
		"no context":            {args: []string{"--day", "mon", "x"}, rest: []string{"--day", "mon", "x"}, err: propagation.ErrAbsent},
		"at the end":            {args: []string{"--day", "mon", ours}, rest: []string{"--day", "mon"}},
		"before operands":       {args: []string{"--day=mon", ours, "--", ours}, rest: []string{"--day=mon", "--", ours}},
		"in two arguments":      {args: []string{"--traceparent", traceparent, "-day", "mon"}, rest: []string{"-day", "mon"}},
		"with one dash":         {args: []string{"-traceparent=" + traceparent}, rest: []string{}},
		"all fields":            {args: []string{ours, "--tracestate=a=1", "--baggage=a=1"}, rest: []string{}},
		"parameters of no run":  {args: []string{"--traceparent=", "--tracestate=", "--day=mon"}, rest: []string{"--day=mon"}, err: propagation.ErrAbsent},
		"without a value":       {args: []string{"--day=mon", "--traceparent"}, rest: []string{"--day=mon"}, err: propagation.ErrAbsent},
		"a flag for a value":    {args: []string{"--traceparent", "--day", "mon", "--tracestate", "-v"}, rest: []string{"--day", "mon", "-v"}, err: propagation.ErrAbsent},
		"stdin for a value":     {args: []string{"--traceparent", "-"}, rest: []string{"-"}, err: propagation.ErrAbsent},
		"an empty value":        {args: []string{"--traceparent", "", "--day", "mon"}, rest: []string{"--day", "mon"}, err: propagation.ErrAbsent},
		"twice":                 {args: []string{"--traceparent=old", ours}, rest: []string{}},
		"flags of other names":  {args: []string{"--my-traceparent=x", "traceparent=x", "---traceparent=x"}, rest: []string{"--my-traceparent=x", "traceparent=x", "---traceparent=x"}, err: propagation.ErrAbsent},
		"in another case":       {args: []string{"--Traceparent=x", "--BAGGAGE=x"}, rest: []string{"--Traceparent=x", "--BAGGAGE=x"}, err: propagation.ErrAbsent},
		"the value of a switch": {args: []string{"-v", ours}, rest: []string{"-v"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := slices.Clone(test.args)
			remote, rest := jobcarrier.TakeArgs(test.args, jobcarrier.WithPropagation(propagation.WithPropagator(w3c)))
			if diff := cmp.Diff(test.rest, rest); diff != "" {
				t.Errorf("arguments (-want +got):\n%s", diff)
			}
			if !errors.Is(remote.Err(), test.err) {
				t.Errorf("error %v, want %v", remote.Err(), test.err)
			}
			if test.err == nil && remote.SpanContext().TraceID().String() != traceparent[3:35] {
				t.Errorf("span context %+v, want that of %s", remote.SpanContext(), traceparent)
			}
			for i := range rest {
				rest[i] = "written"
			}
			if !slices.Equal(before, test.args) {
				t.Errorf("the arguments have changed: %q", test.args)
			}
		})
	}
}

// What TakeArgs leaves are the arguments before InjectArgs, and of these it takes only
// flags of the context, with values that are no flags.
func FuzzTakeArgs(f *testing.F) {
	f.Add("run --day mon", "a=1")
	f.Add("-v -- file", "a=2")
	f.Add("--state --state=", "a")
	f.Add("--state -- --state", "")
	f.Add("--state --day mon --state - -state a b", "a")
	f.Add("--note=--state=x ---state=x --statement x state=x", "a")
	f.Fuzz(func(t *testing.T, line, state string) {
		args := strings.Split(line, " ")
		with := jobcarrier.WithPropagation(propagation.WithPropagator(marker(state)))
		_, own := jobcarrier.TakeArgs(args, with)
		if want := withoutState(args); !slices.Equal(own, want) {
			t.Errorf("of %q it leaves %q, want %q", args, own, want)
		}
		injected := jobcarrier.InjectArgs(spanContext(t), own, with)
		if _, rest := jobcarrier.TakeArgs(injected, with); !slices.Equal(rest, own) {
			t.Errorf("of %q it leaves %q, want %q", injected, rest, own)
		}
	})
}

// withoutState returns args without the flag "state", as TakeArgs is documented.
func withoutState(args []string) []string {
	var rest []string
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "--":
			return append(rest, args[i:]...)
		case strings.HasPrefix(arg, "--state=") || strings.HasPrefix(arg, "-state="):
		case arg == "--state" || arg == "-state":
			if i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				i++
			}
		default:
			rest = append(rest, arg)
		}
	}
	return rest
}

func TestTakeArgs_FlagPackage(t *testing.T) {
	t.Parallel()
	injected := jobcarrier.InjectArgs(withTracestate(t, spanContext(t), "a=1"), []string{"--day", "mon", "report"},
		jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default())))
	parse := func(args []string) (string, error) {
		set := flag.NewFlagSet("", flag.ContinueOnError)
		set.SetOutput(io.Discard)
		day := set.String("day", "", "")
		err := set.Parse(args)
		return *day, err
	}
	remote, args := jobcarrier.TakeArgs(injected, jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default())))
	if day, err := parse(args); day != "mon" || err != nil {
		t.Errorf("day %q, error %v", day, err)
	}
	if len(args) != 3 || remote.SpanContext().TraceState().String() != "a=1" || remote.Waybill().Hops != 1 {
		t.Errorf("arguments %q, remote %+v", args, remote)
	}
	if _, err := parse(append([]string{"--traceparent=x"}, args...)); err == nil {
		t.Error("the parser accepts flags that it does not know, so this test shows nothing")
	}
}
