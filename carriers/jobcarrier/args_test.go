// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier_test

import (
	"context"
	"flag"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/propagation"
)

func TestInjectArgs(t *testing.T) {
	t.Parallel()
	span := spanContext(t)
	operands := strings.Split("a b c d e f g h i j k l m n o", " ") // so many that a clone has room behind it.
	const flagOfSpan = "--traceparent=" + traceparent
	for name, test := range map[string]struct {
		ctx  context.Context //nolint:containedctx // a row of a table.
		args []string
		opts []jobcarrier.Option
		want []string
	}{
		"appended":             {span, []string{"run", "--day", "mon"}, nil, []string{"run", "--day", "mon", flagOfSpan}},
		"in order":             {withTracestate(t, span, "a=1"), []string{}, nil, []string{flagOfSpan, "--tracestate=a=1"}},
		"before the operands":  {span, []string{"-v", "--", "file", "--"}, nil, []string{"-v", flagOfSpan, "--", "file", "--"}},
		"nil stays nil":        {span, nil, nil, nil},
		"no span":              {t.Context(), []string{"run"}, nil, []string{"run"}},
		"nil ctx":              {nil, []string{}, nil, []string{}},
		"the caller's own":     {span, []string{"--traceparent=mine"}, nil, []string{"--traceparent=mine"}},
		"with one dash":        {span, []string{"-traceparent=mine"}, nil, []string{"-traceparent=mine"}},
		"in two arguments":     {span, []string{"--tracestate", "mine=1"}, nil, []string{"--tracestate", "mine=1"}},
		"one without a value":  {span, []string{"-v", "--traceparent", "--", "x"}, nil, []string{"-v", "--traceparent", "--", "x"}},
		"an operand is no own": {span, []string{"--", "--traceparent=mine"}, nil, []string{flagOfSpan, "--", "--traceparent=mine"}},
		"replaced on demand": {
			span,
			[]string{"--traceparent=old", "run", "-tracestate", "old=1", "--baggage", "--", "--traceparent=operand"},
			[]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPolicy(propagation.Replace))},
			[]string{"run", flagOfSpan, "--", "--traceparent=operand"},
		},
		"what is too large is left out": {
			span, []string{strings.Repeat("v", 9960)}, []jobcarrier.Option{jobcarrier.Databricks()}, []string{strings.Repeat("v", 9960)},
		},
		"what is too large is left out in turn": {
			withTracestate(t, span, "a="+strings.Repeat("v", 200)),
			[]string{strings.Repeat("v", 9800)},
			[]jobcarrier.Option{jobcarrier.Databricks()},
			[]string{strings.Repeat("v", 9800), flagOfSpan},
		},
		"operands stay as they are where nothing fits": {
			span, slices.Concat([]string{strings.Repeat("v", 9900), "--"}, operands),
			[]jobcarrier.Option{jobcarrier.Databricks()},
			slices.Concat([]string{strings.Repeat("v", 9900), "--"}, operands),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append(make([]string, 0, len(test.args)+8), test.args...)
			if test.args == nil {
				args = nil
			}
			got := jobcarrier.InjectArgs(test.ctx, args, append([]jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPropagator(w3c))}, test.opts...)...)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("arguments (-want +got):\n%s", diff)
			}
			if !slices.Equal(args, test.args) || slices.ContainsFunc(args[len(args):cap(args)], func(s string) bool { return s != "" }) {
				t.Errorf("the list that was given has changed: %q", args[:cap(args)])
			}
		})
	}
}

// What is written is one flag to the parser of Go, whatever is around it, and
// the caller's own arguments stay as they are.
func FuzzInjectArgs(f *testing.F) {
	f.Add("run --day mon", "a=1")
	f.Add("-v -- file", "a=-- b")
	f.Add("--state --state=", "$(x) '{{y}}'")
	f.Add("--state=mine --", "\n")
	own := regexp.MustCompile(`^--?state(=|$)`)
	f.Fuzz(func(t *testing.T, line, state string) {
		args := strings.Split(line, " ")
		flags, operands := args, []string(nil)
		if end := slices.Index(args, "--"); end >= 0 {
			flags, operands = args[:end], args[end:]
		}
		injected := jobcarrier.InjectArgs(spanContext(t), args, jobcarrier.WithPropagation(propagation.WithPropagator(marker(state))))
		if slices.Equal(injected, args) {
			passes := isSafe(state) && len(state) < 8000
			if passes && !slices.ContainsFunc(flags, own.MatchString) {
				t.Errorf("nothing was added to %q", args)
			}
			return
		}
		added := injected[len(flags)]
		if !slices.Equal(injected, slices.Concat(flags, []string{added}, operands)) {
			t.Errorf("%q became %q", args, injected)
		}
		set := flag.NewFlagSet("", flag.ContinueOnError)
		set.SetOutput(io.Discard)
		got := set.String("state", "", "")
		if err := set.Parse([]string{added}); err != nil || *got != state {
			t.Errorf("the parser of Go reads %q of %q, error %v", *got, added, err)
		}
		if read := jobcarrier.ExtractArgs(t.Context(), injected, jobcarrier.WithPropagation(propagation.WithPropagator(marker("")))).Value(marker("")); read != state {
			t.Errorf("%q was read of %q", read, injected)
		}
	})
}

// marker is a propagator of one value, which brings a span with it.
type marker string

func (m marker) Inject(_ context.Context, c propagation.TextMapCarrier) { c.Set("state", string(m)) }

func (marker) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	return context.WithValue(ctx, marker(""), c.Get("state"))
}
func (marker) Fields() []string { return []string{"state"} }

// Where the parser of Go takes arguments as flags, ReadArgs reads the same. Only
// ReadArgs takes what begins with a dash for another flag, and not for a value.
func FuzzReadArgs(f *testing.F) {
	for _, line := range []string{"--state=a", "-state a", "--state=a --state b", "--state", "--state=a -- --state=b", "--other --state=a", "---state=a", "-state -state="} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		set := flag.NewFlagSet("", flag.ContinueOnError)
		set.SetOutput(io.Discard)
		want := set.String("state", "", "")
		set.Bool("other", false, "")
		end := slices.Index(args, "--")
		if end < 0 {
			end = len(args)
		}
		if err := set.Parse(args[:end]); err != nil || set.NArg() > 0 || strings.HasPrefix(*want, "-") {
			return // not flags only, or unknown ones, or one for a value.
		}
		got, _ := jobcarrier.ExtractArgs(t.Context(), args, jobcarrier.WithPropagation(propagation.WithPropagator(marker("")))).Value(marker("")).(string)
		if got != *want {
			t.Errorf("%q is read as %q, want %q", args, got, *want)
		}
	})
}

func TestInjectArgs_Values(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		value  string
		preset jobcarrier.Option
		ok     bool
	}{
		"ASCII":                   {"a b", nil, true},
		"ASCII to Databricks":     {"a b", jobcarrier.Databricks(), true},
		"a line feed":             {"a\nb", nil, false},
		"a control character":     {"a\x7f", jobcarrier.Databricks(), false},
		"more":                    {"gr\u00fcn", nil, true},
		"more to Databricks":      {"gr\u00fcn", jobcarrier.Databricks(), false},
		"no text to Databricks":   {"\xff", jobcarrier.Databricks(), false},
		"a NUL":                   {"a\x00b", nil, false},
		"what kubelet expands":    {"evil=$(DB_PASSWORD)", nil, false},
		"the same to Argo":        {"evil=$(DB_PASSWORD)", jobcarrier.Argo(), false},
		"more to Argo":            {"gr\u00fcn", jobcarrier.Argo(), true},
		"a reference in any case": {"{{x}}", jobcarrier.Databricks(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := jobcarrier.InjectArgs(spanContext(t), []string{"run"}, jobcarrier.WithPropagation(propagation.WithPropagator(marker(test.value))), test.preset)
			want := []string{"run"}
			if test.ok {
				want = append(want, "--state="+test.value)
			}
			if diff := cmp.Diff(want, args); diff != "" {
				t.Errorf("arguments (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadArgs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		ok   bool
	}{
		"joined":               {[]string{"run", "--traceparent=" + traceparent, "x"}, true},
		"one dash":             {[]string{"-traceparent=" + traceparent}, true},
		"two arguments":        {[]string{"--traceparent", traceparent}, true},
		"the last counts":      {[]string{"--traceparent=", "--traceparent=" + traceparent}, true},
		"empty":                {[]string{"--traceparent="}, false},
		"without its value":    {[]string{"--traceparent"}, false},
		"an operand":           {[]string{"--", "--traceparent=" + traceparent}, false},
		"a flag for a value":   {[]string{"--traceparent", "--day", traceparent}, false},
		"one dash is no value": {[]string{"--traceparent", "-", traceparent}, false},
		"the value is behind":  {[]string{"--traceparent", "--", traceparent}, false},
		"no dash":              {[]string{"traceparent=" + traceparent}, false},
		"three dashes":         {[]string{"---traceparent=" + traceparent}, false},
		"another flag with it": {[]string{"--my-traceparent=" + traceparent}, false},
		"none":                 {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := jobcarrier.ReadArgs(test.args, jobcarrier.WithPropagation(propagation.WithPropagator(w3c))).Err(); (err == nil) != test.ok {
				t.Errorf("error %v, want a context: %t", err, test.ok)
			}
		})
	}
}
