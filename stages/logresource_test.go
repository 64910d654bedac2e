// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/stages"
)

// Not parallel: it sets variables.
func TestWithResource(t *testing.T) {
	for _, tt := range []struct {
		name            string
		service, others string // The variables.
		opts            []stages.LogOption
		want            map[string]any
	}{
		{name: "not asked for", service: "etl"},
		{name: "name of the service", service: "etl", opts: []stages.LogOption{stages.WithResource()}, want: map[string]any{"service": "etl"}},
		{
			name: "attributes", others: "team=data, deployment.environment.name = staging ,service.name=etl", opts: []stages.LogOption{stages.WithResource()},
			want: map[string]any{"service": "etl", "environment": "staging"},
		},
		{
			name: "name of the service first", service: " etl ", others: "service.name=other", opts: []stages.LogOption{stages.WithResource()},
			want: map[string]any{"service": "etl"},
		},
		{
			name: "escaped", others: "service.name=a%20b%2Cc", opts: []stages.LogOption{stages.WithResource()},
			want: map[string]any{"service": "a b,c"},
		},
		{name: "malformed", others: ",=,x,service.name=%zz,deployment.environment.name", opts: []stages.LogOption{stages.WithResource()}},
		{
			name: "not the variables", service: "etl", others: "deployment.environment.name=staging",
			opts: []stages.LogOption{stages.WithResource(attribute.String("service.name", "mine"), attribute.Int("pid", 7))},
			want: map[string]any{"service": "mine"},
		},
		{
			name: "not a text", opts: []stages.LogOption{stages.WithResource(attribute.Int("deployment.environment.name", 7))},
			want: map[string]any{"environment": "7"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("OTEL_SERVICE_NAME", tt.service)
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", tt.others)
			requireRecord(t, t.Context(), tt.opts, tt.want)
		})
	}
}

func FuzzResourceFrom(f *testing.F) {
	f.Add("etl", "service.name=a%20b,deployment.environment.name=staging")
	f.Add("", "=,%,service.name=\xff")
	f.Fuzz(func(t *testing.T, name, attributes string) {
		env := map[string]string{"OTEL_SERVICE_NAME": name, "OTEL_RESOURCE_ATTRIBUTES": attributes}
		service, environment := stages.ResourceFrom(func(key string) string { return env[key] })
		for _, text := range []string{service, environment} {
			if !utf8.ValidString(text) || len(text) > 256 {
				t.Errorf("resource = %q, want at most 256 bytes of UTF-8", text)
			}
		}
		if want := strings.TrimSpace(name); want != "" && utf8.ValidString(want) && len(want) <= 256 && service != want {
			t.Errorf("service = %q, want %q", service, want)
		}
	})
}
