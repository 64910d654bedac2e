// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build airflow

package airflow_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

// tenant is a value in baggage that needs encoding and must arrive as it is.
const tenant = "Ørsted & $(HOME), {{day}}"

// text is a value that templates, shells and encodings change.
const text = " {{ ds }} {% raw %} $(HOME) ${HOME} `id` \"'\\ \t\n Ø 日本 "

// carried makes jobcarrier carry the trace context, the waybill, and the tenant.
var carried = jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()), propagation.WithBaggage("tenant"))

// withTenant returns ctx with the tenant in its baggage.
func withTenant(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	member, err := baggage.NewMemberRaw("tenant", tenant)
	if err != nil {
		t.Fatal(err)
	}
	b, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	return baggage.ContextWithBaggage(ctx, b)
}

// valueOf returns the attribute key of the span called name.
func valueOf(r *flowtest.Recording, name, key string) attribute.Value {
	set := attribute.NewSet(r.Span(name).Stub().Attributes...)
	value, _ := set.Value(attribute.Key(key))
	return value
}

// python returns the interpreter of an environment that deps.sh makes.
func python(t *testing.T, name string) string {
	t.Helper()
	program := absolute(t, filepath.Join("../../../.cache/e2e", name, "bin", "python"))
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("the environment %s is missing: run `make e2e-airflow`", name)
	}
	return program
}

// pythonPath returns the variable with which Python finds the receiver.
func pythonPath(t *testing.T) string {
	t.Helper()
	return "PYTHONPATH=" + absolute(t, "../../../python")
}

func absolute(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
