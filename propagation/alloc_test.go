//go:build !race

// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/propagation"
)

// calls are the three verbs on one carrier that was injected before.
type calls struct {
	inject  func(ctx context.Context)
	extract func(ctx context.Context)
	read    func()
}

// kinds are carriers of every kind, each with its calls.
func kinds(options ...propagation.Option) map[string]calls {
	m, headers, own, slots := text{}, &list{}, &ownList{}, &fixed{}
	one, header := otelpropagation.MapCarrier{}, otelpropagation.HeaderCarrier{}
	textMap := func(c carrier) calls {
		return calls{
			func(ctx context.Context) { propagation.InjectTextMap(ctx, c, options...) },
			func(ctx context.Context) { propagation.ExtractTextMap(ctx, c, options...) },
			func() { propagation.ReadTextMap(c, options...) },
		}
	}
	return map[string]calls{
		"accessor of text": {
			func(ctx context.Context) { propagation.Inject(ctx, m, textAccessor{}, options...) },
			func(ctx context.Context) { propagation.Extract(ctx, m, textAccessor{}, options...) },
			func() { propagation.Read(m, textAccessor{}, options...) },
		},
		"functions": {
			func(ctx context.Context) { propagation.Inject(ctx, m, setOnly, options...) },
			func(ctx context.Context) { propagation.Extract(ctx, m, getOnly, options...) },
			func() { propagation.Read(m, getOnly, options...) },
		},
		"accessor of bytes": {
			func(ctx context.Context) { propagation.Inject(ctx, headers, listAccessor{}, options...) },
			func(ctx context.Context) { propagation.Extract(ctx, headers, bytesOnly{}, options...) },
			func() { propagation.Read(headers, bytesOnly{}, options...) },
		},
		"memory of its own": {
			func(ctx context.Context) { propagation.Inject(ctx, slots, fixedAccessor{}, options...) },
			func(ctx context.Context) { propagation.Extract(ctx, slots, fixedAccessor{}, options...) },
			func() { propagation.Read(slots, fixedAccessor{}, options...) },
		},
		"map":         textMap(one),
		"header":      textMap(header),
		"own methods": textMap(own),
	}
}

// bytesOnly reads a list without repeated values, for which a list is made.
type bytesOnly struct{}

func (bytesOnly) Get(c *list, key string) string      { return listAccessor{}.Get(c, key) }
func (bytesOnly) GetBytes(c *list, key string) []byte { return listAccessor{}.GetBytes(c, key) }

// fixed is a carrier that has room for what is written, and needs no other.
type fixed struct {
	traceparent, waybill [64]byte
	sizes                [2]int
}

type fixedAccessor struct{}

func (fixedAccessor) slot(f *fixed, key string) (slot []byte, size *int) {
	switch key {
	case "traceparent":
		return f.traceparent[:], &f.sizes[0]
	case "waybill":
		return f.waybill[:], &f.sizes[1]
	default:
		return nil, new(int)
	}
}

func (a fixedAccessor) Get(f *fixed, key string) string { return string(a.GetBytes(f, key)) }

func (a fixedAccessor) Set(f *fixed, key, value string) {
	slot, size := a.slot(f, key)
	*size = copy(slot, value)
}

func (a fixedAccessor) GetBytes(f *fixed, key string) []byte {
	slot, size := a.slot(f, key)
	return slot[:*size]
}

func (a fixedAccessor) SetFields(f *fixed, fields propagation.Fields) {
	f.sizes = [2]int{}
	for i := range fields.Len() {
		slot, size := a.slot(f, fields.Key(i))
		*size = len(fields.AppendValue(slot[:0], i))
	}
}

// TestAllocations pins the heap allocations of one call with Default and a
// sampled span.
func TestAllocations(t *testing.T) {
	ctx, empty := contents{traceparent: traceparentText}.context(t), t.Context()
	all := kinds(defaults)
	for name, want := range map[string]struct{ inject, extract, read float64 }{
		// Inject: the text of traceparent and waybill, or nothing with a
		// FieldsSetter. Extract: the span context twice, and the waybill.
		"accessor of text":  {inject: 1, extract: 3, read: 0},
		"functions":         {inject: 1, extract: 3, read: 0},
		"map":               {inject: 1, extract: 3, read: 0},
		"memory of its own": {inject: 0, extract: 3, read: 0},
		// And the copy that the carrier makes of each of the two values.
		"accessor of bytes": {inject: 2, extract: 3, read: 0},
		"own methods":       {inject: 2, extract: 3, read: 0},
		// And a list for each value.
		"header": {inject: 3, extract: 3, read: 0},
	} {
		t.Run(name, func(t *testing.T) {
			call := all[name]
			call.inject(ctx)
			requireAllocations(t, "inject", want.inject, func() { call.inject(ctx) })
			requireAllocations(t, "extract", want.extract, func() { call.extract(empty) })
			requireAllocations(t, "read", want.read, call.read)
			requireAllocations(t, "inject without a span", 0, func() { call.inject(empty) })
		})
	}
}

func requireAllocations(t *testing.T, name string, want float64, f func()) {
	t.Helper()
	if got := testing.AllocsPerRun(200, f); got > want {
		t.Errorf("%s: %v allocations, want at most %v", name, got, want)
	}
}

// Nothing is written or read, and nothing allocated, where nothing is.
func TestAllocations_AbsentContexts(t *testing.T) {
	ctx := t.Context()
	for name, call := range kinds(defaults) {
		requireAllocations(t, name+", extract", 0, func() { call.extract(ctx) })
		requireAllocations(t, name+", read", 0, call.read)
	}
}

// Encode allocates nothing for what ctx holds as text or in numbers.
func TestAllocations_Encode(t *testing.T) {
	ctx := propagation.ContextWithWaybill(contents{traceparent: traceparentText}.context(t), remotes["a"].Waybill())
	buf := make([]byte, 0, 1024)
	for name, ctx := range map[string]context.Context{"a span": ctx, "no span": propagation.ContextWithWaybill(t.Context(), remotes["a"].Waybill()), "nothing": t.Context()} {
		requireAllocations(t, name, 0, func() {
			f := propagation.Encode(ctx, defaults).Shrink(200)
			for i := range f.Len() {
				buf = append(append(buf[:0], f.Key(i)...), f.AppendValue(buf, i)...)
			}
		})
	}
	requireAllocations(t, "as text", 1, func() {
		n := 0
		for key, value := range propagation.Encode(ctx, defaults).All() {
			n += len(key) + len(value)
		}
		if n == 0 {
			t.Error("nothing is written")
		}
	})
}

// Without a journal, a call allocates what TestAllocations pins. A journal that another
// context asks for adds nothing.
func TestAllocations_Journal(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	defer cancel()
	propagation.ContextWithJournal(done, new(propagation.Journal))
	ctx := contents{traceparent: traceparentText}.context(t)
	for name, call := range kinds(defaults) {
		call.inject(ctx)
		requireAllocations(t, name+", inject", 3, func() { call.inject(ctx) })
		requireAllocations(t, name+", extract", 3, func() { call.extract(t.Context()) })
	}
}

// After the context of a journal is done, reading allocates nothing again.
func TestAllocations_JournalIsOver(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	propagation.ContextWithJournal(done, new(propagation.Journal))
	cancel()
	carrier := text{"traceparent": traceparentText}
	for start := time.Now(); testing.AllocsPerRun(20, func() { propagation.Read(carrier, textAccessor{}, defaults) }) > 0; runtime.Gosched() {
		if time.Since(start) > 10*time.Second {
			t.Fatal("Read allocates for a journal that is over")
		}
	}
}
