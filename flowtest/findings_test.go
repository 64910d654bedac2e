// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest_test

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowtest"
)

// late is a flow with the warning P17 and the info P18.
func late(tb testing.TB) *flowtest.Recording {
	tb.Helper()
	f := flowtest.New(tb)
	api, job := f.Service("api").Tracer("test"), f.Service("job").Tracer("test")
	ctx, run := api.Start(f.Context(), "run", at(10))
	run.End(at(20))
	_, child := api.Start(ctx, "load", at(50))
	child.End(at(60))
	_, skewed := job.Start(trace.ContextWithRemoteSpanContext(f.Context(), run.SpanContext()), "process", at(5))
	skewed.End(at(8))
	return f.Wait(time.Second)
}

func TestRecording_RequireNoFindings(t *testing.T) {
	t.Parallel()
	// The producer of the consumer is recorded elsewhere, and so nobody knows.
	outside := func(tb testing.TB) *flowtest.Recording {
		tb.Helper()
		spans := stubs(tb, asParent)
		return flowtest.FromSpans(tb, spans[2:]...)
	}
	for name, tt := range map[string]struct {
		recording func(tb testing.TB) *flowtest.Recording
		opts      []flowtest.FindingsOption
		want      string // "" if there are none.
	}{
		"a whole flow":            {recording: func(tb testing.TB) *flowtest.Recording { return recorded(tb, asParent) }},
		"a broken flow":           {recording: func(tb testing.TB) *flowtest.Recording { return recorded(tb, forgotten) }, want: "found P01; BROKEN between api and etl-job"},
		"a warning":               {recording: late, want: "found P17; CONNECTED"},
		"a warning and an info":   {recording: late, opts: []flowtest.FindingsOption{flowtest.WithInfo()}, want: "found P17, P18; CONNECTED"},
		"an allowed warning":      {recording: late, opts: []flowtest.FindingsOption{nil, flowtest.Allow("P17")}},
		"another one is allowed":  {recording: late, opts: []flowtest.FindingsOption{flowtest.Allow("P18")}, want: "found P17;"},
		"all are allowed":         {recording: late, opts: []flowtest.FindingsOption{flowtest.Allow("P17"), flowtest.Allow("P18"), flowtest.WithInfo()}},
		"no such finding":         {recording: late, opts: []flowtest.FindingsOption{flowtest.Allow("p17")}, want: `there is no finding "p17"; they are P01 to P24`},
		"no spans":                {recording: func(tb testing.TB) *flowtest.Recording { return flowtest.FromSpans(tb) }, want: "no spans were recorded"},
		"a caller elsewhere":      {recording: outside},
		"a caller that is missed": {recording: missed, want: "found P04;"},
		"a boundary":              {recording: missed, opts: []flowtest.FindingsOption{flowtest.WithBoundary("etl-job")}},
		"another boundary":        {recording: missed, opts: []flowtest.FindingsOption{flowtest.WithBoundary("api")}, want: "found P04;"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := run(t, func(tb testing.TB) { tt.recording(tb).RequireNoFindings(tt.opts...) })
			if text := f.text.String(); f.failed != (tt.want != "") || !strings.Contains(text, tt.want) {
				t.Errorf("failed %t, and printed:\n%s\nwant %q", f.failed, text, tt.want)
			}
		})
	}
}

// missed is a flow in which a consumer has the context of a producer that was not
// recorded, though others were that sent to the same topic.
func missed(tb testing.TB) *flowtest.Recording {
	tb.Helper()
	f := flowtest.New(tb)
	_, send := f.Service("api").Tracer("test").Start(f.Context(), "send orders", trace.WithSpanKind(trace.SpanKindProducer), kafka, at(0))
	send.End(at(1))
	lost := send.SpanContext().WithSpanID(trace.SpanID{1})
	_, process := f.Service("etl-job").Tracer("test").Start(trace.ContextWithRemoteSpanContext(f.Context(), lost), "process orders",
		trace.WithSpanKind(trace.SpanKindConsumer), kafka, at(2))
	process.End(at(3))
	return f.Wait(time.Second)
}

func TestRecording_RequireNoFindings_Prints(t *testing.T) {
	t.Parallel()
	fails(t, "findings", func(tb testing.TB) { late(tb).RequireNoFindings(flowtest.WithInfo()) })
}
