// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/carriers/carriertest"
	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/propagation"
)

func TestCarrier_Conforms(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func() propagation.TextMapCarrier { return new(envcarrier.Carrier) },
		carriertest.WithFoldedKeys(),
		carriertest.WithLastValue(),
		carriertest.WithNil(
			func() propagation.TextMapCarrier { return (*envcarrier.Carrier)(nil) },
			func() propagation.TextMapCarrier { return new(envcarrier.Carrier) },
		),
		carriertest.WithFork(func(c propagation.TextMapCarrier) propagation.TextMapCarrier {
			fork := *c.(*envcarrier.Carrier)
			return &fork
		}),
		carriertest.WithRepeats(func(key string, values ...string) propagation.TextMapCarrier {
			carrier := new(envcarrier.Carrier)
			for _, value := range values {
				*carrier = append(*carrier, envcarrier.Normalize(key)+"="+value)
			}
			return carrier
		}),
		carriertest.WithEntries(func(c propagation.TextMapCarrier) int { return len(*c.(*envcarrier.Carrier)) }),
	)
}

func TestMap_Conforms(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func() propagation.TextMapCarrier { return envcarrier.Map{} },
		carriertest.WithFoldedKeys(),
		carriertest.WithNil(func() propagation.TextMapCarrier { return envcarrier.Map(nil) }),
		carriertest.WithEntries(func(c propagation.TextMapCarrier) int { return len(c.(envcarrier.Map)) }),
	)
}

// A variable has one value: a carrier that had several would be read differently by
// propagators that combine them.
func TestCarrier_IsSingleValued(t *testing.T) {
	t.Parallel()
	for _, carrier := range []any{new(envcarrier.Carrier), envcarrier.Map{}} {
		if _, ok := carrier.(otelpropagation.ValuesGetter); ok {
			t.Errorf("%T implements ValuesGetter", carrier)
		}
	}
}

func TestCarrier_SetOfUnusableValues(t *testing.T) {
	t.Parallel()
	limit := 128<<10 - 1 // with the name and "=".
	if envcarrier.HostIsWindows {
		limit = 32<<10 - 2
	}
	fits := strings.Repeat("v", limit-len("KEY="))
	for name, test := range map[string]struct{ value, want string }{
		"opaque":       {" \t\"'%41=;,\n", " \t\"'%41=;,\n"},
		"the longest":  {fits, fits},
		"one too long": {fits + "v", ""},
		"a NUL":        {"a\x00b", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			carrier := envcarrier.Carrier{"KEY=old", "OTHER=stays"}
			carrier.Set("key", test.value)
			if got := carrier.Get("key"); got != test.want {
				t.Errorf("Get() = %.40q, want %.40q", got, test.want)
			}
			if test.want == "" && !slices.Equal(carrier, envcarrier.Carrier{"OTHER=stays"}) {
				t.Errorf("the variable was not removed: %.40q", carrier)
			}
			values := envcarrier.Map{"KEY": "old"}
			values.Set("key", test.value)
			if got, ok := values["KEY"]; got != test.want || ok != (test.want != "") {
				t.Errorf("the map holds %.40q, %t, want %.40q", got, ok, test.want)
			}
		})
	}
}

func TestCarrier_KeysWithOneName(t *testing.T) {
	t.Parallel()
	var carrier envcarrier.Carrier
	carrier.Set("a-b", "1")
	carrier.Set("a.b", "2")
	if want := (envcarrier.Carrier{"A_B=2"}); !slices.Equal(carrier, want) {
		t.Errorf("%q, want %q", carrier, want)
	}
	values := envcarrier.Map{}
	values.Set("a-b", "1")
	values.Set("a.b", "2")
	if want := (envcarrier.Map{"A_B": "2"}); !maps.Equal(values, want) {
		t.Errorf("%q, want %q", values, want)
	}
}
