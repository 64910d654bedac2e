// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
)

// The documents of the drivers, as these declare them.
type (
	E struct {
		Key   string
		Value any
	}
	D   []E
	M   map[string]any
	Raw []byte
	// Binary and RawValue are what the drivers decode such values to.
	Binary struct {
		Subtype byte
		Data    []byte
	}
	RawValue struct {
		Type  byte
		Value []byte
	}
)

const (
	traceparentA = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traceparentB = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	waybillA     = "00-0618a8c9d2e000-0618a8c9d2e000-0001"
)

// w3c is the propagator of tests that look at what is written, without the
// waybill, whose times change.
func w3c(opts ...propagation.Option) mongocarrier.Option {
	return mongocarrier.WithPropagation(append([]propagation.Option{w3cContext}, opts...)...)
}

// full is the default propagator, whatever the global one is.
func full(opts ...propagation.Option) mongocarrier.Option {
	return mongocarrier.WithPropagation(append([]propagation.Option{fullContext}, opts...)...)
}

// using returns the option for a propagator.
func using(p propagation.TextMapPropagator) mongocarrier.Option {
	return mongocarrier.WithPropagation(propagation.WithPropagator(p))
}

// The same as w3c and full for functions that are given a context alone.
var (
	w3cContext  = propagation.WithPropagator(propagation.TraceContext{})
	fullContext = propagation.WithPropagator(propagation.Default())
)

// spanContext returns the span context that traceparent and tracestate are.
func spanContext(t testing.TB, traceparent, tracestate string) trace.SpanContext {
	t.Helper()
	remote := propagation.Read(map[string]string{"traceparent": traceparent, "tracestate": tracestate},
		propagation.Getter[map[string]string](mapGetter{}), propagation.WithPropagator(propagation.TraceContext{}))
	if err := remote.Err(); err != nil {
		t.Fatal(err)
	}
	return remote.SpanContext()
}

type mapGetter struct{}

func (mapGetter) Get(m map[string]string, key string) string { return m[key] }

// spanCtx returns a ctx with the span of traceparent.
func spanCtx(t testing.TB, traceparent string) context.Context {
	t.Helper()
	return trace.ContextWithSpanContext(t.Context(), spanContext(t, traceparent, ""))
}

// stateCtx returns a ctx with the span of traceparent and a tracestate.
func stateCtx(t testing.TB, traceparent, tracestate string) context.Context {
	t.Helper()
	return trace.ContextWithSpanContext(t.Context(), spanContext(t, traceparent, tracestate))
}

// withBaggage returns ctx with the baggage that text is.
func withBaggage(t testing.TB, ctx context.Context, text string) context.Context { //nolint:revive // a helper takes t first.
	t.Helper()
	b, err := baggage.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return baggage.ContextWithBaggage(ctx, b)
}

// traceparent returns the context of remote as text, or "".
func traceparent(remote propagation.Remote) string {
	sc := remote.SpanContext()
	if !sc.IsValid() {
		return ""
	}
	return fmt.Sprintf("00-%s-%s-%s", sc.TraceID(), sc.SpanID(), sc.TraceFlags())
}

// encode returns the BSON of a document of own types, written without a line of
// the package.
func encode(t testing.TB, doc D) Raw {
	t.Helper()
	var body []byte
	for _, e := range doc {
		kind, value := encodeValue(t, e.Value)
		body = append(body, kind)
		body = append(body, e.Key...)
		body = append(body, 0)
		body = append(body, value...)
	}
	return frame(body)
}

func frame(body []byte) Raw {
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(body)+5))
	return append(append(out, body...), 0)
}

func encodeValue(t testing.TB, value any) (kind byte, b []byte) {
	t.Helper()
	switch v := value.(type) {
	case string:
		b = binary.LittleEndian.AppendUint32(nil, uint32(len(v)+1))
		return 0x02, append(append(b, v...), 0)
	case D:
		return 0x03, encode(t, v)
	case []any:
		var list D
		for i, item := range v {
			list = append(list, E{strconv.Itoa(i), item})
		}
		return 0x04, encode(t, list)
	case []byte:
		b = binary.LittleEndian.AppendUint32(nil, uint32(len(v)))
		return 0x05, append(append(b, 0), v...)
	case bool:
		if v {
			return 0x08, []byte{1}
		}
		return 0x08, []byte{0}
	case nil:
		return 0x0A, nil
	case int32:
		return 0x10, binary.LittleEndian.AppendUint32(nil, uint32(v))
	case int:
		return 0x12, binary.LittleEndian.AppendUint64(nil, uint64(v))
	default:
		t.Fatalf("no BSON for %T", value)
		return 0, nil
	}
}

var errBSON = errors.New("not BSON")

// decode is an independent reader of BSON: it accepts a whole well-formed
// document and nothing more, all the way down. Values it has no Go type for
// are returned as bytes.
func decode(doc []byte) (D, error) {
	if len(doc) < 5 || int(binary.LittleEndian.Uint32(doc)) != len(doc) || doc[len(doc)-1] != 0 {
		return nil, errBSON
	}
	out := D{}
	for rest := doc[4 : len(doc)-1]; len(rest) > 0; {
		kind := rest[0]
		name, after, ok := bytes.Cut(rest[1:], []byte{0})
		if !ok {
			return nil, errBSON
		}
		value, left, err := decodeValue(kind, after)
		if err != nil {
			return nil, err
		}
		out, rest = append(out, E{string(name), value}), left
	}
	return out, nil
}

func decodeValue(kind byte, b []byte) (value any, rest []byte, err error) {
	take := func(n int) []byte {
		if n < 0 || n > len(b) {
			err = errBSON
			return nil
		}
		taken := b[:n]
		b = b[n:]
		return taken
	}
	length := func() int {
		if head := take(4); head != nil {
			return int(int32(binary.LittleEndian.Uint32(head)))
		}
		return -1
	}
	text := func() string {
		s := take(length())
		if len(s) == 0 || s[len(s)-1] != 0 {
			err = errBSON
			return ""
		}
		return string(s[:len(s)-1])
	}
	switch kind {
	case 0x02, 0x0D, 0x0E:
		value = text()
	case 0x03, 0x04:
		if len(b) < 4 {
			return nil, nil, errBSON
		}
		nested, nestedErr := decode(take(int(int32(binary.LittleEndian.Uint32(b)))))
		value, err = nested, errors.Join(err, nestedErr)
	case 0x05:
		n := length()
		take(1)
		value = take(n)
	case 0x08:
		if taken := take(1); taken != nil {
			value = taken[0] == 1
		}
	case 0x06, 0x0A, 0x7F, 0xFF:
	case 0x10:
		if taken := take(4); taken != nil {
			value = int32(binary.LittleEndian.Uint32(taken))
		}
	case 0x12:
		if taken := take(8); taken != nil {
			value = int(binary.LittleEndian.Uint64(taken))
		}
	case 0x01, 0x09, 0x11:
		value = take(8)
	case 0x07:
		value = take(12)
	case 0x13:
		value = take(16)
	case 0x0B:
		for range 2 {
			end := bytes.IndexByte(b, 0)
			take(end + 1)
			if end < 0 {
				err = errBSON
			}
		}
	case 0x0C:
		text()
		value = take(12)
	case 0x0F:
		if len(b) < 4 {
			return nil, nil, errBSON
		}
		scope := take(int(int32(binary.LittleEndian.Uint32(b))))
		if err == nil && (len(scope) < 14 || scope[len(scope)-1] != 0) {
			err = errBSON
		}
		value = scope
	default:
		err = errBSON
	}
	return value, b, err
}

// mustDecode decodes doc, which a test has made.
func mustDecode(t testing.TB, doc []byte) D {
	t.Helper()
	out, err := decode(doc)
	if err != nil {
		t.Fatalf("decode %q: %v", doc, err)
	}
	return out
}

// at returns the value at path of a decoded document.
func at(doc D, path ...string) any {
	var value any = doc
	for _, name := range path {
		nested, _ := value.(D)
		value = nil
		for _, e := range nested {
			if e.Key == name {
				value = e.Value
			}
		}
	}
	return value
}

// keysOf returns the names of the elements of doc.
func keysOf(doc D) []string {
	var keys []string
	for _, e := range doc {
		keys = append(keys, e.Key)
	}
	return keys
}

// hostile is a propagator that fails the test when it is used.
type hostile struct{ t testing.TB }

func (h hostile) Inject(context.Context, propagation.TextMapCarrier) { h.t.Error("global Inject used") }

func (h hostile) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	h.t.Error("global Extract used")
	return ctx
}

func (hostile) Fields() []string { return []string{"hostile"} }

// setGlobalPropagator sets the global propagator until the test ends.
func setGlobalPropagator(t *testing.T, p propagation.TextMapPropagator) {
	t.Helper()
	otel.SetTextMapPropagator(p)
	t.Cleanup(func() { otel.SetTextMapPropagator(propagation.Default()) })
}

// legacy is a propagator with a key of its own and any value.
type legacy struct{ key, value string }

func (l legacy) Inject(ctx context.Context, c propagation.TextMapCarrier) {
	if trace.SpanContextFromContext(ctx).IsValid() {
		c.Set(l.key, l.value)
	}
}

func (l legacy) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	if c.Get(l.key) != l.value {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, Remote: true,
	}))
}

func (l legacy) Fields() []string { return []string{l.key} }

// sentAgo returns a ctx whose waybill says that the data set out d ago.
func sentAgo(ctx context.Context, d time.Duration) context.Context {
	return propagation.ContextWithWaybill(ctx, propagation.Waybill{Origin: time.Now().Add(-d)})
}

// recordErrors collects what is reported to OpenTelemetry until the test ends.
func recordErrors(t *testing.T) *[]string {
	t.Helper()
	var reported []string
	mongocarrier.ResetReports()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { reported = append(reported, err.Error()) }))
	t.Cleanup(func() { otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) })
	return &reported
}
