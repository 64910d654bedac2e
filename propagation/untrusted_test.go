// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/propagation"
)

// Nothing that an untrusted source wrote goes further than a link, whatever was
// done with it before and whoever records.
func TestStart_UntrustedGoesNoFurtherThanALink(t *testing.T) {
	t.Parallel()
	option := withRequestID["composite"]
	sdk, _ := tracer()
	for name, carrier := range map[string]text{
		"all":                   {"traceparent": otherText, "tracestate": "x=1", "baggage": "theirs=1", "waybill": waybillText, "x-request-id": "r-1"},
		"no traceparent":        {"baggage": "theirs=1", "waybill": waybillText, "x-request-id": "r-1"},
		"a traceparent":         {"traceparent": otherText},
		"a malformed one":       {"traceparent": "00-", "baggage": "theirs=1", "waybill": waybillText},
		"baggage in the format": {"baggage": "theirs=1;p=q"},
	} {
		remote := propagation.Read(carrier, textAccessor{}, option)
		native := propagation.Read(carrier, textAccessor{}, defaults)
		trusted := contents{baggage: "ours=1"}.context(t)
		for ctxName, ctx := range map[string]context.Context{
			"unrelated":                 trusted,
			"of the remote":             remote.Context(trusted),
			"of the remote, and on":     context.WithValue(remote.Context(trusted), requestIDKey{}, nil),
			"extracted":                 propagation.Extract(trusted, carrier, textAccessor{}, defaults),
			"extracted, with a member":  withMember(propagation.Extract(trusted, carrier, textAccessor{}, defaults), t, "ours", "1"),
			"of the remote, with added": withMember(remote.Context(trusted), t, "ours", "1"),
		} {
			for tracerName, tracer := range map[string]trace.Tracer{"nil": nil, "noop": noop.Tracer{}, "SDK": sdk} {
				for i, remotes := range [][]propagation.Remote{{remote}, {native}, {remote, native}, {{}, remote}} {
					started, span := propagation.Start(ctx, tracer, "process", remotes, propagation.WithUntrusted())
					span.End()
					if !propagation.IsUntrusted(started) {
						t.Errorf("%s, %s, %s: the context is not marked", name, ctxName, tracerName)
					}
					sent := propagation.Map(started, option)
					if got := trace.SpanContextFromContext(started); got.TraceID() == spanContextOf(t, otherText, "").TraceID() {
						t.Errorf("%s, %s, %s: their trace goes on: %v", name, ctxName, tracerName, sent)
					}
					if got := baggage.FromContext(started).Member("theirs").Value(); got != "" {
						t.Errorf("%s, %s, %s: their baggage goes on: %v", name, ctxName, tracerName, sent)
					}
					if w, err := propagation.ParseWaybill(sent["waybill"]); err == nil && w.Origin.Equal(remotes[0].Waybill().Origin) && w.Hops > 1 {
						t.Errorf("%s, %s, %s: their waybill goes on: %v", name, ctxName, tracerName, sent)
					}
					if sent["tracestate"] != "" {
						t.Errorf("%s, %s, %s: their tracestate goes on: %v", name, ctxName, tracerName, sent)
					}
					known := len(remotes) > 1 || i == 0 // The one that ctx was made of is among them.
					if sent["x-request-id"] != "" && (known || ctxName == "unrelated") {
						t.Errorf("%s, %s, %s: their request id goes on: %v", name, ctxName, tracerName, sent)
					}
				}
			}
		}
	}
}

func withMember(ctx context.Context, t *testing.T, key, value string) context.Context {
	t.Helper()
	m, err := baggage.NewMember(key, value)
	if err != nil {
		t.Fatal(err)
	}
	b, err := baggage.FromContext(ctx).SetMember(m)
	if err != nil {
		t.Fatal(err)
	}
	return baggage.ContextWithBaggage(ctx, b)
}

func TestStart_UntrustedKeepsWhatIsOurs(t *testing.T) {
	t.Parallel()
	option := withRequestID["composite"]
	carrier := text{"traceparent": otherText, "baggage": "theirs=1", "waybill": waybillText, "x-request-id": "r-1"}
	remote := propagation.Read(carrier, textAccessor{}, option)
	tracer, recorder := tracer()

	own := context.WithValue(contents{baggage: "ours=1"}.context(t), requestIDKey{}, "own")
	own = propagation.ContextWithWaybill(own, propagation.Waybill{Origin: remote.Waybill().Sent, Hops: 7})
	own, ambient := tracer.Start(own, "ambient")
	defer ambient.End()
	started, span := propagation.Start(own, tracer, "process", []propagation.Remote{remote}, propagation.WithUntrusted())
	span.End()
	requireRequestID(started, t, "own", "own")
	requireBaggage(t, "own", baggage.FromContext(started).String(), "ours=1")
	if got := propagation.WaybillFromContext(started).Hops; got != 7 {
		t.Errorf("the waybill has %d hops, want 7", got)
	}
	if got := recorder.Ended()[0].Parent().SpanID(); got != ambient.SpanContext().SpanID() {
		t.Errorf("the parent is %v, want the span in ctx", got)
	}
	started, span = propagation.Start(remote.Context(own), tracer, "process", []propagation.Remote{remote}, propagation.WithUntrusted())
	span.End()
	requireRequestID(started, t, "below theirs", "own")

	// A span started over what was extracted is not taken for theirs.
	local, span := tracer.Start(remote.Context(t.Context()), "local")
	defer span.End()
	started, process := propagation.Start(local, tracer, "process", []propagation.Remote{remote}, propagation.WithUntrusted())
	defer process.End()
	if process.SpanContext().TraceID() != span.SpanContext().TraceID() {
		t.Error("the span in ctx is not the parent")
	}
	requireRequestID(started, t, "local", nil)
}

func TestIsUntrusted(t *testing.T) {
	t.Parallel()
	started, span := propagation.Start(t.Context(), nil, "process", named("a"), propagation.WithUntrusted())
	span.End()
	again, span := propagation.Start(started, nil, "process", named("b"), propagation.WithUntrusted())
	span.End()
	trusted, span := propagation.Start(t.Context(), nil, "process", named("a"))
	span.End()
	within := context.WithValue(started, requestIDKey{}, "r")
	for name, ctx := range map[string]context.Context{"untrusted": started, "within": within, "twice": again} {
		if !propagation.IsUntrusted(ctx) {
			t.Errorf("%s: IsUntrusted() = false, want true", name)
		}
	}
	for name, ctx := range map[string]context.Context{"nil": nil, "empty": t.Context(), "trusted": trusted} {
		if propagation.IsUntrusted(ctx) {
			t.Errorf("%s: IsUntrusted() = true, want false", name)
		}
	}
}
