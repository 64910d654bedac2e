// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/propagation"
)

func TestExtract_ThisProcess(t *testing.T) {
	t.Setenv("TRACEPARENT", traceparent)
	t.Setenv("TRACESTATE", "a=1")
	t.Setenv("BAGGAGE", "user=42,tenant=7")
	t.Setenv("traceparent", "00-11111111111111111111111111111111-1111111111111111-01")

	ctx := envcarrier.Extract(t.Context(), envcarrier.WithPropagation(propagation.WithPropagator(w3c)))
	sc := trace.SpanContextFromContext(ctx)
	if got := sc.TraceID().String(); got != traceparent[3:35] || !sc.IsRemote() || sc.TraceState().String() != "a=1" {
		t.Errorf("extracted %+v", sc)
	}
	remote := envcarrier.Read(envcarrier.WithPropagation(propagation.WithPropagator(w3c)))
	if !remote.SpanContext().Equal(sc) || remote.Err() != nil {
		t.Errorf("Read gives %+v, %v", remote.SpanContext(), remote.Err())
	}
	if remote.Baggage().Len() != 0 {
		t.Errorf("baggage by default: %s", remote.Baggage())
	}
	remote = envcarrier.Read(envcarrier.WithPropagation(propagation.WithPropagator(w3c)), envcarrier.WithPropagation(propagation.WithBaggage("tenant")))
	if got := remote.Baggage().String(); got != "tenant=7" {
		t.Errorf("baggage %q, want that of the one key", got)
	}
}

func TestReadFrom_LastEntryWins(t *testing.T) {
	t.Parallel()
	environ := []string{"TRACEPARENT=malformed", "TRACEPARENT=" + traceparent, "traceparent=malformed"}
	remote := envcarrier.ReadFrom(environ, envcarrier.WithPropagation(propagation.WithPropagator(w3c)))
	if remote.Err() != nil {
		t.Errorf("of two entries the last does not count: %v", remote.Err())
	}
	ctx := envcarrier.ExtractFrom(t.Context(), environ, envcarrier.WithPropagation(propagation.WithPropagator(w3c)))
	if !trace.SpanContextFromContext(ctx).Equal(remote.SpanContext()) {
		t.Error("ExtractFrom and ReadFrom differ")
	}
}

func TestExtractFrom_MalformedContext(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"upper case":         "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
		"unknown flags":      traceparent[:53] + "04",
		"bytes after it":     traceparent + "-",
		"all zeros":          "00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"shorter":            traceparent[:54],
		"no traceparent":     "",
		"a space at its end": traceparent + " ",
		"no span":            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"a version of none":  "ff" + traceparent[2:],
		"binary":             "\x00\xff\xfe" + traceparent[3:],
		"a mebibyte":         strings.Repeat("0", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := []string{"TRACEPARENT=" + value, "TRACESTATE=a=1"}
			if ctx := envcarrier.ExtractFrom(t.Context(), environ, envcarrier.WithPropagation(propagation.WithPropagator(w3c))); ctx != t.Context() {
				t.Error("ctx is another one")
			}
			values := map[string]string{"TRACEPARENT": value, "TRACESTATE": "a=1"}
			if ctx := envcarrier.ExtractMap(t.Context(), values, envcarrier.WithPropagation(propagation.WithPropagator(w3c))); ctx != t.Context() {
				t.Error("ctx is another one, of a map")
			}
			err := envcarrier.ReadFrom(environ, envcarrier.WithPropagation(propagation.WithPropagator(w3c))).Err()
			var malformed *propagation.MalformedError
			if value == "" && !errors.Is(err, propagation.ErrAbsent) || value != "" && !errors.As(err, &malformed) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Whatever the environment is, reading never fails, a list is read as a map of its last
// values is, and what is read is valid or has an error.
func FuzzReadFrom(f *testing.F) {
	f.Add("PATH=/bin\nTRACEPARENT=" + traceparent + "\nTRACESTATE=a=1\nBAGGAGE=user=42\nWAYBILL=x")
	f.Add("TRACEPARENT=x\nTRACEPARENT=" + traceparent + "\n=TRACEPARENT=\nTRACEPARENT\n=\n\n\xff=\x00")
	opt := envcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()), propagation.WithBaggage("user"))
	f.Fuzz(func(t *testing.T, text string) {
		environ := strings.Split(text, "\n")
		variables := slices.DeleteFunc(slices.Clone(environ), func(entry string) bool { return !strings.Contains(entry, "=") })
		got, want := envcarrier.ReadFrom(environ, opt), envcarrier.ReadMap(lastValues(variables), opt)
		if !got.SpanContext().Equal(want.SpanContext()) || got.Baggage().String() != want.Baggage().String() || got.Waybill() != want.Waybill() {
			t.Errorf("of a list it reads %+v, of a map %+v", got, want)
		}
		if got.SpanContext().IsValid() != (got.Err() == nil) {
			t.Errorf("context %v with the error %v", got.SpanContext(), got.Err())
		}
		creator := envcarrier.ReadCreatorFrom(environ)
		if creator.SpanContext().IsValid() != (creator.Err() == nil) {
			t.Errorf("creator %v with the error %v", creator.SpanContext(), creator.Err())
		}
	})
}

func TestExtractFrom_NilContext(t *testing.T) {
	t.Parallel()
	var none context.Context
	if ctx := envcarrier.ExtractFrom(none, []string{"TRACEPARENT=" + traceparent}, envcarrier.WithPropagation(propagation.WithPropagator(w3c))); !trace.SpanContextFromContext(ctx).IsValid() {
		t.Error("nothing was extracted into a nil ctx")
	}
}

// The global propagator is used at the time of the call, and only where no
// other is given.
func TestWithPropagation_HostileGlobals(t *testing.T) {
	ctx := spanContext(t)
	t.Setenv("X_MARK", "here")
	t.Setenv("TRACEPARENT", traceparent)

	setGlobalPropagator(t, mark{})
	if got := environment(t, envcarrier.Inject(ctx, nil))["X_MARK"]; got != "here" {
		t.Errorf("Inject did not use the global propagator: %q", got)
	}
	if got := envcarrier.Extract(t.Context()).Value(mark{}); got != "here" {
		t.Errorf("Extract did not use the global propagator: %v", got)
	}
	if got := envcarrier.Extract(t.Context(), envcarrier.WithPropagation(propagation.WithPropagator(nil))).Value(mark{}); got != "here" {
		t.Error("a nil propagator is not the global one")
	}

	setGlobalPropagator(t, hostile{t})
	opts := []envcarrier.Option{
		envcarrier.WithPropagation(propagation.WithPropagator(w3c)), envcarrier.WithPropagation(propagation.WithMaxBytes(100)), envcarrier.WithPropagation(propagation.WithBaggage("a")), envcarrier.WithPropagation(propagation.WithoutBaggage()),
		envcarrier.WithPropagation(propagation.WithPolicy(propagation.Replace)), envcarrier.WithPassThrough(), nil,
	}
	environ := envcarrier.Inject(ctx, nil, opts...)
	if environment(t, environ)["TRACEPARENT"] != traceparent {
		t.Errorf("nothing was injected: %q", environ)
	}
	for name, remote := range map[string]propagation.Remote{
		"Read": envcarrier.Read(opts...), "ReadFrom": envcarrier.ReadFrom(environ, opts...),
		"ReadMap": envcarrier.ReadMap(envcarrier.InjectMap(ctx, nil, opts...), opts...),
	} {
		if !remote.SpanContext().IsValid() {
			t.Errorf("%s gives nothing", name)
		}
	}
	for name, extracted := range map[string]context.Context{
		"Extract": envcarrier.Extract(t.Context(), opts...), "ExtractFrom": envcarrier.ExtractFrom(t.Context(), environ, opts...),
	} {
		if !trace.SpanContextFromContext(extracted).IsValid() {
			t.Errorf("%s gives nothing", name)
		}
	}
}

// mark is a propagator of one key, which is found by name and by enumeration,
// and brings a span with it.
type mark struct{}

func (mark) Inject(_ context.Context, c propagation.TextMapCarrier) { c.Set("x-mark", "here") }
func (mark) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	if !slices.Contains(c.Keys(), "X_MARK") {
		return ctx
	}
	ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	return context.WithValue(ctx, mark{}, c.Get("x-mark"))
}
func (mark) Fields() []string { return []string{"x-mark"} }
