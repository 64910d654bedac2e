// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"strconv"
	"strings"
	"testing"

	otelpropagation "go.opentelemetry.io/otel/propagation"
	corev1 "k8s.io/api/core/v1"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/propagation"
)

func BenchmarkInjectEnv(b *testing.B) {
	ctx := spanContext(b)
	env := make([]corev1.EnvVar, 20)
	for i := range env {
		env[i] = literal("NAME_"+strconv.Itoa(i), "value")
	}
	b.Run("Base", func(b *testing.B) { // By hand, without replacing or escaping.
		b.ReportAllocs()
		for b.Loop() {
			carrier := otelpropagation.MapCarrier{}
			otelpropagation.TraceContext{}.Inject(ctx, carrier)
			injected := append(make([]corev1.EnvVar, 0, len(env)+len(carrier)), env...)
			for key, value := range carrier {
				injected = append(injected, literal(strings.ToUpper(key), value))
			}
			if len(injected) != len(env)+1 {
				b.Fatalf("%d variables", len(injected))
			}
		}
	})
	b.Run("Instrumented", func(b *testing.B) {
		opt := k8scarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))
		b.ReportAllocs()
		for b.Loop() {
			k8scarrier.InjectEnv(ctx, env, opt)
		}
	})
}

func BenchmarkInjectPodTemplate(b *testing.B) {
	ctx := spanContext(b)
	opt := k8scarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))
	injected := template()
	b.ReportAllocs()
	for b.Loop() {
		if err := k8scarrier.InjectPodTemplate(ctx, injected, opt); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	env := []corev1.EnvVar{literal("A", "1"), literal("B", "2"), literal("TRACEPARENT", traceparent)}
	opt := k8scarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))
	b.ReportAllocs()
	for b.Loop() {
		k8scarrier.Read(env, opt)
	}
}

// The time grows in proportion to a value.
func BenchmarkUnescape_Growth(b *testing.B) {
	for name, piece := range map[string]string{"Unclosed": "$(", "Dollars": "$", "Closed": "$(A)", "Nested": "$($(", "Plain": "a"} {
		for _, size := range []int{1 << 10, 64 << 10, 4 << 20} {
			b.Run(name+"/"+strconv.Itoa(size), func(b *testing.B) {
				value := "$$" + strings.Repeat(piece, size/len(piece))
				b.SetBytes(int64(size))
				for b.Loop() {
					k8scarrier.Unescape(value)
				}
			})
		}
	}
}

// The time grows in proportion to an environment.
func BenchmarkKeys_Growth(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10, 4 << 20} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			env := make([]corev1.EnvVar, size/16)
			for i := range env {
				env[i] = literal("NAME_"+strconv.Itoa(i), "")
			}
			b.SetBytes(int64(size))
			for b.Loop() {
				k8scarrier.EnvSetter{}.Keys(&env)
			}
		})
	}
}

// The time grows in proportion to the annotations of an object, even if each of
// them holds a context.
func BenchmarkInjectPodTemplate_Growth(b *testing.B) {
	ctx := spanContext(b)
	opt := k8scarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))
	for _, size := range []int{1 << 10, 64 << 10, 4 << 20} {
		hostile := template()
		hostile.Annotations = map[string]string{}
		for i := range size / 64 {
			hostile.Annotations["example-"+strconv.Itoa(i)+"/traceparent"] = otherTraceparent
		}
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				b.StopTimer()
				injected := hostile.DeepCopy()
				b.StartTimer()
				if err := k8scarrier.InjectPodTemplate(ctx, injected, opt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
