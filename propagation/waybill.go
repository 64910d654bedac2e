// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// Waybill records when data entered the flow, when it was last sent, and how
// many hops it has made. It is written under the one key "waybill" and makes the
// latency of a hop and of the whole flow measurable in the process that receives
// the data, for each record, sampled or not.
//
// The zero Waybill describes data that has not been sent yet.
type Waybill struct {
	// Origin is when the data entered the flow. It is set once, by the first
	// injection in a span, or by [ContextWithWaybill].
	Origin time.Time
	// Sent is when the data was last written to a carrier.
	Sent time.Time
	// Hops is the number of times the data was sent, up to 65535.
	Hops int
}

// The text of a waybill has a fixed width, like that of a traceparent: 2 digits
// of version, 14 of Origin and 14 of Sent, both in microseconds since 1970, and
// 4 of Hops, all in lower-case hexadecimal, with a dash between them.
const (
	waybillLen = 37

	originAt = 3
	sentAt   = 18
	hopsAt   = 33

	maxHops   = 1<<16 - 1
	maxMicros = 1<<56 - 1
)

// IsZero reports whether w is the zero Waybill.
func (w Waybill) IsZero() bool { return w == Waybill{} }

// String returns the text that is written: 37 bytes, or the empty string if
// Origin or Sent is before 1970 or after 4253, as in the zero Waybill.
func (w Waybill) String() string {
	text, ok := w.appendText(make([]byte, 0, waybillLen))
	if !ok {
		return ""
	}
	return string(text)
}

// ParseWaybill parses the text that [Waybill.String] returns. Times are in UTC,
// in microseconds. The error is a [*MalformedError].
func ParseWaybill(s string) (Waybill, error) {
	w, malformed := parseWaybill(s)
	if malformed != "" {
		return Waybill{}, &MalformedError{Key: keyWaybill, Reason: malformed}
	}
	return w, nil
}

// departed returns the waybill of data that is sent at now.
func (w Waybill) departed(now time.Time) Waybill {
	if w.Origin.IsZero() {
		w.Origin = now
	}
	w.Sent = now
	w.Hops = min(max(w.Hops, 0), maxHops-1) + 1
	return w
}

// unsent returns the waybill that an injection continues without counting
// another hop.
func (w Waybill) unsent() Waybill {
	w.Hops = max(w.Hops-1, 0)
	return w
}

// appendText appends the text of w, or reports false if it has none.
func (w Waybill) appendText(dst []byte) ([]byte, bool) {
	origin, sent := w.Origin.UnixMicro(), w.Sent.UnixMicro()
	if origin <= 0 || origin > maxMicros || sent <= 0 || sent > maxMicros {
		return dst, false
	}
	dst = append(dst, "00-"...)
	dst = appendMicros(dst, origin)
	dst = append(dst, '-')
	dst = appendMicros(dst, sent)
	dst = append(dst, '-')
	hops := [2]byte{}
	binary.BigEndian.PutUint16(hops[:], uint16(min(max(w.Hops, 0), maxHops)))
	return hex.AppendEncode(dst, hops[:]), true
}

func appendMicros(dst []byte, micros int64) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(micros))
	return hex.AppendEncode(dst, b[1:])
}

// parseWaybill returns the waybill that s holds, or the reason why s is
// malformed. A later version may add fields after a dash.
func parseWaybill[T ~string | ~[]byte](s T) (w Waybill, malformed string) {
	if len(s) < waybillLen {
		return w, "shorter than 37 bytes"
	}
	if s[originAt-1] != '-' || s[sentAt-1] != '-' || s[hopsAt-1] != '-' {
		return w, "the fields are not divided by dashes at the fixed places"
	}
	var version [1]byte
	var origin, sent [8]byte
	var hops [2]byte
	ok := decodeHex(version[:], s, 0)
	ok = decodeHex(origin[1:], s, originAt) && ok
	ok = decodeHex(sent[1:], s, sentAt) && ok
	ok = decodeHex(hops[:], s, hopsAt) && ok
	switch {
	case !ok:
		return w, "a digit is not lower-case hexadecimal"
	case version[0] == 0xff:
		return w, "version ff is forbidden"
	case version[0] == 0 && len(s) > waybillLen:
		return w, "longer than the 37 bytes of version 00"
	case len(s) > waybillLen && s[waybillLen] != '-':
		return w, "no dash after the hops of a later version"
	}
	originMicros, sentMicros := binary.BigEndian.Uint64(origin[:]), binary.BigEndian.Uint64(sent[:])
	if originMicros == 0 || sentMicros == 0 {
		return w, "a time is zero"
	}
	w.Origin = time.UnixMicro(int64(originMicros)).UTC()
	w.Sent = time.UnixMicro(int64(sentMicros)).UTC()
	w.Hops = int(binary.BigEndian.Uint16(hops[:]))
	return w, ""
}

// waybillContext is a context with a waybill. It is one allocation where a value
// in a context would be two.
type waybillContext struct {
	context.Context //nolint:containedctx // it is a context.

	waybill Waybill
}

type waybillKey struct{}

func (c *waybillContext) Value(key any) any {
	if key == (waybillKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// ContextWithWaybill returns a copy of ctx with w, which the next injection
// continues. Use it where data enters the flow with a time of its own,
// Waybill{Origin: eventTime}, or without a span, Waybill{Origin: time.Now()}.
func ContextWithWaybill(ctx context.Context, w Waybill) context.Context {
	return &waybillContext{Context: orBackground(ctx), waybill: w}
}

// WaybillFromContext returns the waybill of ctx, or the zero Waybill.
func WaybillFromContext(ctx context.Context) Waybill {
	if ctx == nil {
		return Waybill{}
	}
	if c, ok := ctx.Value(waybillKey{}).(*waybillContext); ok {
		return c.waybill
	}
	return Waybill{}
}

// WaybillPropagator is the [TextMapPropagator] of the [Waybill]. It composes with
// other instrumentation, such as that of HTTP servers and clients.
//
// It injects a waybill if ctx has a valid span or a waybill. Malformed values are
// ignored. The zero value is ready to use. WaybillPropagator is safe for
// concurrent use.
type WaybillPropagator struct{}

var _ TextMapPropagator = WaybillPropagator{}

// Inject sets the waybill of data that is sent now.
func (WaybillPropagator) Inject(ctx context.Context, carrier TextMapCarrier) {
	w := WaybillFromContext(ctx)
	if w.IsZero() && !spanContext(ctx).IsValid() {
		return
	}
	if text := w.departed(time.Now()).String(); text != "" {
		carrier.Set(keyWaybill, text)
	}
}

// Extract returns a copy of ctx with the waybill of carrier, or ctx if it holds
// none.
func (WaybillPropagator) Extract(ctx context.Context, carrier TextMapCarrier) context.Context {
	w, malformed := parseWaybill(carrier.Get(keyWaybill))
	if malformed != "" {
		return ctx
	}
	return ContextWithWaybill(ctx, w)
}

// Fields returns the one key of a waybill.
func (WaybillPropagator) Fields() []string { return []string{keyWaybill} }
