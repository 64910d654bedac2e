// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"

	"github.com/waybill-go/waybill/propagation"
)

// listing is a propagator that looks at every key, as that of OpenTracing does
// for its baggage.
type listing struct{ openTracing }

func (p listing) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	ctx = p.TraceContext.Extract(ctx, carrier)
	var members []baggage.Member
	for _, key := range carrier.Keys() {
		if len(members) == 64 {
			break // No baggage has more.
		}
		if name, ok := strings.CutPrefix(strings.ToLower(key), "ot-baggage-"); ok {
			if m, err := baggage.NewMember(name, carrier.Get(key)); err == nil {
				members = append(members, m)
			}
		}
	}
	if b, err := baggage.New(members...); err == nil && b.Len() > 0 {
		ctx = baggage.ContextWithBaggage(ctx, b)
	}
	return ctx
}

// counted counts the calls of Get.
type counted struct {
	listAccessor

	gets *int
}

func (c counted) Get(l *list, key string) string {
	*c.gets++
	return c.listAccessor.Get(l, key)
}

// hostileKeys is a carrier of n keys, of which those of baggage come last.
func hostileKeys(n int) *list {
	headers := list{{"traceparent", []byte(traceparentText)}}
	for i := range n {
		headers = append(headers, header{fmt.Sprintf("app-%d", i), []byte("1")})
	}
	for i := range n {
		headers = append(headers, header{fmt.Sprintf("ot-baggage-%d", i), []byte("1")})
	}
	return &headers
}

func TestRead_OffersFewKeys(t *testing.T) {
	t.Parallel()
	option := propagation.WithPropagator(listing{})
	const most = 256 + 8 // Keys that are offered, and the fields.
	for _, n := range []int{0, 1, 100, 127, 128, 5000} {
		gets := 0
		remote := propagation.Read(hostileKeys(n), counted{gets: &gets}, option)
		if gets > most {
			t.Errorf("%d keys: %d values were asked for, want at most %d", 2*n, gets, most)
		}
		if remote.Err() != nil || n > 0 && remote.Baggage().Len() == 0 {
			t.Errorf("%d keys: %v, a baggage of %d members", 2*n, remote.Err(), remote.Baggage().Len())
		}
		if n <= 64 && remote.Baggage().Len() != n {
			t.Errorf("%d keys: a baggage of %d members, want %d", 2*n, remote.Baggage().Len(), n)
		}
	}
}

func TestRead_LeavesOutLongValues(t *testing.T) {
	t.Parallel()
	const longest = 64 << 10
	for _, tt := range []struct {
		length int
		want   bool
	}{{length: longest, want: true}, {length: longest + 1, want: false}, {length: 4 << 20, want: false}} {
		carrier := text{"traceparent": traceparentText, "x-request-id": repeated(tt.length), "tracestate": "a=1" + strings.Repeat(",", tt.length-3)}
		remote := propagation.Read(carrier, textAccessor{}, withRequestID["composite"])
		if got := remote.Context(t.Context()).Value(requestIDKey{}) != nil; got != tt.want || remote.Err() != nil {
			t.Errorf("a value of %d bytes is read: %t (%v), want %t", tt.length, got, remote.Err(), tt.want)
		}
		if got := remote.SpanContext().TraceState().Len() == 1; got != tt.want {
			t.Errorf("a tracestate of %d bytes is read: %t, want %t", tt.length, got, tt.want)
		}
	}
}

// The time of a call grows as the carrier does, and no faster.
func BenchmarkGrowth(b *testing.B) {
	option := propagation.WithPropagator(listing{})
	ctx := full(b)
	for name, size := range map[string]int{"1KB": 1 << 10, "64KB": 64 << 10, "4MB": 4 << 20} {
		headers := hostileKeys(size / len("app-12345") / 2)
		values := list{{"traceparent", []byte(traceparentText)}}
		for range size / len("a=1,b=2") {
			values = append(values, header{"tracestate", []byte("a=1,b=2")}, header{"baggage", []byte("a=1,b=2")})
		}
		long := text{"traceparent": traceparentText, "tracestate": strings.Repeat("a=1,", size/4), "baggage": strings.Repeat("a=1,", size/4), "waybill": repeated(size)}
		malformed := text{"traceparent": repeated(size)}
		whole := text{}
		for _, h := range *headers {
			whole[h.key] = string(h.value)
		}
		for kind, call := range map[string]func(){
			"ReadKeys":      func() { propagation.Read(headers, listAccessor{}, option) },
			"ReadValues":    func() { propagation.Read(&values, listAccessor{}, defaults) },
			"ReadLong":      func() { propagation.Read(long, textAccessor{}, defaults) },
			"ReadMalformed": func() { propagation.Read(malformed, textAccessor{}, defaults) },
			"Inject": func() {
				b.StopTimer()
				carrier := append(list(nil), *headers...)
				b.StartTimer()
				propagation.Inject(ctx, &carrier, listAccessor{}, option)
			},
			"Fields": func() {
				f := propagation.Encode(ctx, option)
				for key := range whole {
					f.Clears(key)
				}
			},
		} {
			b.Run(kind+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					call()
				}
			})
		}
	}
}
