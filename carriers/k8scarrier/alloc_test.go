// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package k8scarrier_test

import (
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/propagation"
)

func TestAllocations(t *testing.T) {
	ctx := spanContext(t)
	env := make([]corev1.EnvVar, 20)
	for i := range env {
		env[i] = literal("NAME_"+strconv.Itoa(i), "value")
	}
	with := k8scarrier.WithPropagation(propagation.WithPropagator(propagation.Default()))
	full := k8scarrier.InjectEnv(ctx, env, with)
	for what, test := range map[string]struct {
		limit float64
		f     func()
	}{
		"InjectEnv":           {18, func() { k8scarrier.InjectEnv(ctx, env, with) }},
		"InjectEnv, no span":  {4, func() { k8scarrier.InjectEnv(t.Context(), env, with) }},
		"Read":                {0, func() { k8scarrier.Read(full, with) }},
		"Extract":             {3, func() { k8scarrier.Extract(ctx, full, with) }},
		"EnvSetter.Get":       {0, func() { k8scarrier.EnvSetter{}.Get(&full, "TRACEPARENT") }},
		"EnvSetter.Get, else": {0, func() { k8scarrier.EnvSetter{}.Get(&full, "traceparent") }},
	} {
		if got := testing.AllocsPerRun(100, test.f); got > test.limit {
			t.Errorf("%s: %.0f allocations, want at most %.0f", what, got, test.limit)
		}
	}
}
