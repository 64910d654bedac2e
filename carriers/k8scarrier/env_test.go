// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	corev1 "k8s.io/api/core/v1"

	"github.com/waybill-go/waybill/carriers/carriertest"
	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/propagation"
)

// w3c is a propagator without a waybill, so that results can be compared.
var w3c = propagation.Compose(propagation.TraceContext{}, propagation.Baggage{})

func TestEnvSetter_Conforms(t *testing.T) {
	t.Parallel()
	carriertest.RunAccessors(t, func() *[]corev1.EnvVar { return new([]corev1.EnvVar) }, k8scarrier.EnvSetter{}, k8scarrier.EnvSetter{},
		carriertest.WithFoldedKeys(),
		carriertest.WithLastValue(),
		carriertest.WithNil(
			func() *[]corev1.EnvVar { return nil },
			func() *[]corev1.EnvVar { return new([]corev1.EnvVar) },
		),
		carriertest.WithFork(func(env *[]corev1.EnvVar) *[]corev1.EnvVar { fork := *env; return &fork }),
		carriertest.WithRepeats(func(key string, values ...string) *[]corev1.EnvVar {
			var env []corev1.EnvVar
			for _, value := range values {
				env = append(env, literal(envcarrier.Normalize(key), value))
			}
			return &env
		}),
		carriertest.WithEntries(func(env *[]corev1.EnvVar) int { return len(*env) }),
	)
}

func TestCarrier_Conforms(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func() propagation.TextMapCarrier { return new(k8scarrier.Carrier) },
		carriertest.WithFoldedKeys(),
		carriertest.WithLastValue(),
		carriertest.WithNil(
			func() propagation.TextMapCarrier { return (*k8scarrier.Carrier)(nil) },
			func() propagation.TextMapCarrier { return new(k8scarrier.Carrier) },
		),
		carriertest.WithFork(func(c propagation.TextMapCarrier) propagation.TextMapCarrier {
			fork := *c.(*k8scarrier.Carrier)
			return &fork
		}),
		carriertest.WithRepeats(func(key string, values ...string) propagation.TextMapCarrier {
			carrier := new(k8scarrier.Carrier)
			for _, value := range values {
				*carrier = append(*carrier, literal(envcarrier.Normalize(key), value))
			}
			return carrier
		}),
		carriertest.WithEntries(func(c propagation.TextMapCarrier) int { return len(*c.(*k8scarrier.Carrier)) }),
	)
}

func TestCarrier_SetOfUnusableValues(t *testing.T) {
	t.Parallel()
	const limit = 128<<10 - 1 // with the name and "=".
	fits := strings.Repeat("$", limit-len("STATE="))
	for name, test := range map[string]struct{ value, want string }{
		"opaque":       {" \t\"'%41=;,\n", " \t\"'%41=;,\n"},
		"the longest":  {fits, fits},
		"one too long": {fits + "$", ""},
		"a NUL":        {"a\x00b", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			carrier := k8scarrier.Carrier{literal("STATE", "old"), literal("OTHER", "stays")}
			carrier.Set("state", test.value)
			injected := k8scarrier.InjectEnv(spanContext(t), []corev1.EnvVar{literal("STATE", "old"), literal("OTHER", "stays")},
				k8scarrier.WithPropagation(propagation.WithPropagator(state(test.value))), k8scarrier.WithPropagation(propagation.WithMaxBytes(0)))
			for _, env := range [][]corev1.EnvVar{carrier, injected} {
				if got := (k8scarrier.EnvSetter{}).Get(&env, "state"); got != test.want {
					t.Errorf("it holds %.40q, want %.40q", got, test.want)
				}
			}
			if test.want == "" && len(carrier) != 1 {
				t.Errorf("the entry was not removed: %.40v", carrier)
			}
		})
	}
}

// state is a propagator of one value.
type state string

func (s state) Inject(_ context.Context, c propagation.TextMapCarrier) {
	c.Set("x-other", "v")
	c.Set("state", string(s))
}

func (state) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	return ctx
}
func (state) Fields() []string { return []string{"state", "x-other"} }

func literal(name, value string) corev1.EnvVar { return corev1.EnvVar{Name: name, Value: value} }

func secret(name string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "k"}}}
}

const otherTraceparent = "00-11111111111111111111111111111111-1111111111111111-01"

func TestInjectEnv(t *testing.T) {
	t.Parallel()
	span := spanContext(t)
	ours := literal("TRACEPARENT", traceparent)
	for name, test := range map[string]struct {
		ctx  context.Context //nolint:containedctx // a row of a table.
		env  []corev1.EnvVar
		opts []k8scarrier.Option
		want []corev1.EnvVar
	}{
		"new ones come first, in order": {
			withTracestate(t, withBaggage(t, span), "a=1"),
			[]corev1.EnvVar{literal("OTHER", "$(TRACEPARENT)")},
			[]k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithBaggage("user"))},
			[]corev1.EnvVar{literal("BAGGAGE", "user=42"), ours, literal("TRACESTATE", "a=1"), literal("OTHER", "$(TRACEPARENT)")},
		},
		"old ones keep their place, once": {
			span,
			[]corev1.EnvVar{
				literal("A", "1"), literal("TRACESTATE", "old=1"), literal("TRACEPARENT", otherTraceparent), literal("B", "2"),
				literal("TRACEPARENT", "older"), literal("BAGGAGE", "old=1"), literal("C", "3"), literal("A", "twice"),
			},
			nil,
			[]corev1.EnvVar{literal("A", "1"), ours, literal("B", "2"), literal("C", "3"), literal("A", "twice")},
		},
		"what an operator manages stays as it is": {
			span,
			[]corev1.EnvVar{
				literal("OTEL_SERVICE_NAME", "etl"), literal("OTEL_PROPAGATORS", "b3"), secret("OTEL_RESOURCE_ATTRIBUTES_POD_NAME"),
				literal("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=$(OTEL_RESOURCE_ATTRIBUTES_POD_NAME)"),
			},
			nil,
			[]corev1.EnvVar{
				ours,
				literal("OTEL_SERVICE_NAME", "etl"), literal("OTEL_PROPAGATORS", "b3"), secret("OTEL_RESOURCE_ATTRIBUTES_POD_NAME"),
				literal("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=$(OTEL_RESOURCE_ATTRIBUTES_POD_NAME)"),
			},
		},
		"a source is replaced": {
			span, []corev1.EnvVar{secret("TRACEPARENT"), secret("KEPT")}, nil, []corev1.EnvVar{ours, secret("KEPT")},
		},
		"dollars are doubled": {
			withTracestate(t, span, "a=$(FOO)$"), nil, nil, []corev1.EnvVar{ours, literal("TRACESTATE", "a=$$(FOO)$$")},
		},
		"our reference to an annotation is replaced too": {
			span,
			[]corev1.EnvVar{{Name: "TRACEPARENT", ValueFrom: &corev1.EnvVarSource{
				FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.annotations['tracing.k8s.io/traceparent']"},
			}}},
			[]k8scarrier.Option{k8scarrier.WithAnnotations("")},
			[]corev1.EnvVar{ours},
		},
		"or kept on demand": {
			span,
			[]corev1.EnvVar{{Name: "TRACEPARENT", ValueFrom: &corev1.EnvVarSource{
				FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.annotations['tracing.k8s.io/traceparent']"},
			}}},
			[]k8scarrier.Option{k8scarrier.WithAnnotations(""), k8scarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting))},
			[]corev1.EnvVar{{Name: "TRACEPARENT", ValueFrom: &corev1.EnvVarSource{
				FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.annotations['tracing.k8s.io/traceparent']"},
			}}},
		},
		"no span changes nothing": {
			t.Context(),
			[]corev1.EnvVar{literal("TRACEPARENT", "x"), literal("TRACEPARENT", "y")},
			nil,
			[]corev1.EnvVar{literal("TRACEPARENT", "x"), literal("TRACEPARENT", "y")},
		},
		"no span removes on demand": {
			t.Context(),
			[]corev1.EnvVar{literal("TRACEPARENT", "x"), literal("A", "1")},
			[]k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPolicy(propagation.Replace))},
			[]corev1.EnvVar{literal("A", "1")},
		},
		"an existing one is kept on demand": {
			span,
			[]corev1.EnvVar{literal("TRACEPARENT", otherTraceparent), literal("TRACESTATE", "old=1")},
			[]k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting))},
			[]corev1.EnvVar{literal("TRACEPARENT", otherTraceparent), literal("TRACESTATE", "old=1")},
		},
		"a malformed one is not kept": {
			span,
			[]corev1.EnvVar{literal("TRACEPARENT", "x")},
			[]k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting))},
			[]corev1.EnvVar{ours},
		},
		"a source is kept on demand": {
			span,
			[]corev1.EnvVar{secret("TRACEPARENT")},
			[]k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting))},
			[]corev1.EnvVar{secret("TRACEPARENT")},
		},
		"a conflict changes nothing": {
			span,
			[]corev1.EnvVar{literal("TRACEPARENT", otherTraceparent)},
			[]k8scarrier.Option{k8scarrier.WithErrorOnConflict()},
			[]corev1.EnvVar{literal("TRACEPARENT", otherTraceparent)},
		},
		"there is no conflict where all is replaced": {
			span,
			[]corev1.EnvVar{literal("TRACEPARENT", otherTraceparent)},
			[]k8scarrier.Option{k8scarrier.WithErrorOnConflict(), k8scarrier.WithPropagation(propagation.WithPolicy(propagation.Replace))},
			[]corev1.EnvVar{ours},
		},
		"no baggage by default": {withBaggage(t, span), nil, nil, []corev1.EnvVar{ours}},
		"no baggage after all": {
			withBaggage(t, span), nil,
			[]k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithBaggage("user")), k8scarrier.WithPropagation(propagation.WithoutBaggage())},
			[]corev1.EnvVar{ours},
		},
		"at most so many bytes":  {withTracestate(t, span, "a=1"), nil, []k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithMaxBytes(70))}, []corev1.EnvVar{ours}},
		"nothing at all":         {nil, nil, []k8scarrier.Option{nil}, nil},
		"empty stays not nil":    {nil, []corev1.EnvVar{}, nil, []corev1.EnvVar{}},
		"nil and a span":         {span, nil, nil, []corev1.EnvVar{ours}},
		"all removed is not nil": {t.Context(), []corev1.EnvVar{literal("BAGGAGE", "")}, []k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPolicy(propagation.Replace))}, []corev1.EnvVar{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := append(make([]corev1.EnvVar, 0, len(test.env)+8), test.env...)
			if test.env == nil {
				env = nil
			}
			opts := append([]k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPropagator(w3c))}, test.opts...)
			got := k8scarrier.InjectEnv(test.ctx, env, opts...)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
			again := k8scarrier.InjectEnv(test.ctx, got, opts...)
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("a second inject changed it (-first +second):\n%s", diff)
			}
			for i := range got {
				got[i].Name = "written"
			}
			_ = append(got, literal("appended", ""))
			if diff := cmp.Diff(test.env, env); diff != "" {
				t.Errorf("the environment that was given has changed:\n%s", diff)
			}
			if slices.ContainsFunc(env[len(env):cap(env)], func(e corev1.EnvVar) bool { return e.Name != "" }) {
				t.Error("written behind the environment that was given")
			}
		})
	}
}

// A waybill has the time of its inject, and yet a second inject of the same
// context changes nothing.
func TestInjectEnv_SameContext(t *testing.T) {
	t.Parallel()
	with := k8scarrier.WithPropagation(propagation.WithPropagator(propagation.Default()))
	plain := withTracestate(t, spanContext(t), "a=$(1)")
	hourAgo := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
	sentBefore := func(hops int) context.Context {
		return propagation.ContextWithWaybill(plain, propagation.Waybill{Origin: hourAgo.Add(-time.Hour), Hops: hops})
	}
	// sent returns the environment that an injection of ctx left an hour ago.
	sent := func(ctx context.Context) []corev1.EnvVar {
		env := k8scarrier.InjectEnv(ctx, nil, with)
		w := k8scarrier.Read(env, with).Waybill()
		if w.Origin.Equal(w.Sent) {
			w.Origin = hourAgo
		}
		w.Sent = hourAgo
		k8scarrier.EnvSetter{}.Set(&env, "waybill", w.String())
		return env
	}
	for name, test := range map[string]struct {
		ctx   context.Context //nolint:containedctx // a row of a table.
		env   []corev1.EnvVar
		stays bool
	}{
		"the same context":         {plain, sent(plain), true},
		"data of some hops":        {sentBefore(3), sent(sentBefore(3)), true},
		"data of another origin":   {sentBefore(0), sent(plain), false},
		"data of another way":      {sentBefore(3), sent(sentBefore(4)), false},
		"data of no hops":          {plain, sent(sentBefore(0)), false},
		"another tracestate":       {withTracestate(t, plain, "a=2"), sent(plain), false},
		"another sampling":         {trace.ContextWithSpanContext(plain, trace.SpanContextFromContext(plain).WithTraceFlags(0)), sent(plain), false},
		"a waybill that is none":   {plain, append(sent(plain), literal("WAYBILL", "x")), false},
		"a waybill from elsewhere": {plain, append(sent(plain), secret("WAYBILL")), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			again := k8scarrier.InjectEnv(test.ctx, test.env, with)
			remote := k8scarrier.Read(again, with)
			if stays := remote.Waybill().Sent.Equal(hourAgo); stays != test.stays {
				t.Errorf("the waybill stays: %t, want %t: %+v", stays, test.stays, remote.Waybill())
			}
			if diff := cmp.Diff(test.env, again); test.stays && diff != "" {
				t.Errorf("a second inject changed it (-first +second):\n%s", diff)
			}
			if want := trace.SpanContextFromContext(test.ctx).WithRemote(true); !remote.SpanContext().Equal(want) {
				t.Errorf("it holds %+v", remote.SpanContext())
			}
		})
	}
}

func TestExtract(t *testing.T) {
	t.Parallel()
	with := k8scarrier.WithPropagation(propagation.WithPropagator(w3c))
	env := []corev1.EnvVar{
		literal("TRACEPARENT", "x"), literal("TRACEPARENT", traceparent), literal("TRACESTATE", "a=$$(1)$$"), literal("BAGGAGE", "user=42"),
	}
	sc := trace.SpanContextFromContext(k8scarrier.Extract(t.Context(), env, with))
	if sc.TraceID().String() != traceparent[3:35] || sc.TraceState().String() != "a=$(1)$" {
		t.Errorf("extracted %+v", sc)
	}
	if remote := k8scarrier.Read(env, with); !remote.SpanContext().Equal(sc) || remote.Baggage().Len() != 0 {
		t.Errorf("Read gives %+v, %s", remote.SpanContext(), remote.Baggage())
	}
	if got := k8scarrier.Read(env, with, k8scarrier.WithPropagation(propagation.WithBaggage("user"))).Baggage().String(); got != "user=42" {
		t.Errorf("baggage %q", got)
	}
	for name, env := range map[string][]corev1.EnvVar{"nil": nil, "a source": {secret("TRACEPARENT")}} {
		if ctx := k8scarrier.Extract(t.Context(), env, with); ctx != t.Context() {
			t.Errorf("%s: ctx is another one", name)
		}
		if err := k8scarrier.Read(env, with).Err(); !errors.Is(err, propagation.ErrAbsent) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestEnvSetter_KeysAreNormalizedNames(t *testing.T) {
	t.Parallel()
	env := []corev1.EnvVar{literal("TRACEPARENT", "1"), literal("lower", "2"), literal("TRACEPARENT", "3"), literal("A_1", "4"), literal("", "5"), literal("my.name", "6")}
	if got, want := (k8scarrier.EnvSetter{}).Keys(&env), []string{"TRACEPARENT", "A_1"}; !slices.Equal(got, want) {
		t.Errorf("Keys() = %q, want %q", got, want)
	}
}
