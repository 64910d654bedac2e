// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers_test

import (
	"encoding/json"
	"testing"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/carriers/carriertest"
	"github.com/waybill-go/waybill/propagation"
)

type carrier = propagation.TextMapCarrier

func TestMap(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func() carrier { return carriers.Map{} },
		carriertest.WithNil(func() carrier { return carriers.Map(nil) }))
}

func TestAnyMap(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func() carrier { return carriers.AnyMap{} },
		carriertest.WithNil(func() carrier { return carriers.AnyMap(nil) },
			func() carrier { return carriers.AnyMap{"traceparent": 7, "waybill": nil} }))
}

func TestMultiMap(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func() carrier { return carriers.MultiMap{} },
		carriertest.WithNil(func() carrier { return carriers.MultiMap(nil) },
			func() carrier { return carriers.MultiMap{"traceparent": nil, "waybill": {}} }),
		carriertest.WithRepeats(func(key string, values ...string) carrier { return carriers.MultiMap{key: values} }),
		carriertest.WithEntries(func(c carrier) int { return entriesOf(c.(carriers.MultiMap)) }))
}

func TestFoldedMap(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func() carrier { return carriers.FoldedMap{} },
		carriertest.WithFoldedKeys(),
		carriertest.WithNil(func() carrier { return carriers.FoldedMap(nil) }))
}

func TestFoldedMultiMap(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func() carrier { return carriers.FoldedMultiMap{} },
		carriertest.WithFoldedKeys(),
		carriertest.WithNil(func() carrier { return carriers.FoldedMultiMap(nil) }),
		carriertest.WithRepeats(func(key string, values ...string) carrier { return carriers.FoldedMultiMap{key: values} }),
		carriertest.WithEntries(func(c carrier) int { return entriesOf(c.(carriers.FoldedMultiMap)) }))
}

func entriesOf(m map[string][]string) int {
	n := 0
	for _, values := range m {
		n += len(values)
	}
	return n
}

func TestBytesMap(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func() carrier { return carriers.BytesMap{} },
		carriertest.WithNil(func() carrier { return carriers.BytesMap(nil) }))
}

func TestPairs(t *testing.T) {
	t.Parallel()
	type pairs = carriers.Pairs[carriers.Pair]
	options := []carriertest.Option{
		carriertest.WithNil(func() carrier { return (*pairs)(nil) }, func() carrier { return new(pairs) }),
		carriertest.WithFork(func(c carrier) carrier { fork := *c.(*pairs); return &fork }),
		carriertest.WithRepeats(func(key string, values ...string) carrier {
			var p pairs
			for _, value := range values {
				p = append(p, carriers.Pair{Key: key, Value: value})
			}
			return &p
		}),
		carriertest.WithEntries(func(c carrier) int { return len(*c.(*pairs)) }),
	}
	carriertest.Run(t, func() carrier { return new(pairs) }, options...)
	t.Run("with room at its end", func(t *testing.T) {
		t.Parallel()
		carriertest.Run(t, func() carrier { p := make(pairs, 0, 64); return &p }, options...)
	})
}

func TestText_JSON(t *testing.T) {
	t.Parallel()
	testText(t, carriers.JSON[string])
	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		testText(t, carriers.JSON[json.RawMessage])
	})
}

func TestText_Properties(t *testing.T) {
	t.Parallel()
	testText(t, carriers.Properties[string])
	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		testText(t, carriers.Properties[[]byte])
	})
}

// testText runs the suite on texts, of which a fork shares the memory.
func testText[T ~string | ~[]byte](t *testing.T, bind func(*T) *carriers.Text[T]) {
	t.Helper()
	type target struct {
		*carriers.Text[T]

		text *T
	}
	bound := func(text T) carrier { return target{bind(&text), &text} }
	carriertest.Run(t, func() carrier { return bound(*new(T)) },
		carriertest.WithNil(func() carrier { return bind(nil) }, func() carrier { return (*carriers.Text[T])(nil) },
			func() carrier { return new(carriers.Text[T]) }),
		carriertest.WithFork(func(c carrier) carrier { return bound(*c.(target).text) }))
}
