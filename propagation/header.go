// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"maps"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// headerLines is the accessor of an HTTP header, in which several lines are
// one value: a tracestate may be divided, and two traceparents are malformed.
// https://www.rfc-editor.org/rfc/rfc9110#section-5.3
type headerLines struct{}

func (h headerLines) Get(c propagation.HeaderCarrier, key string) string {
	return strings.Join(h.Values(c, key), ",")
}

func (headerLines) Values(c propagation.HeaderCarrier, key string) []string { return c[canonical(key)] }
func (headerLines) Keys(c propagation.HeaderCarrier) []string               { return c.Keys() }

func (headerLines) Set(c propagation.HeaderCarrier, key, value string) {
	c[canonical(key)] = []string{value}
}

func (h headerLines) SetFields(c propagation.HeaderCarrier, fields Fields) {
	maps.DeleteFunc(c, func(key string, _ []string) bool { return fields.Clears(key) })
	for key, value := range fields.All() {
		h.Set(c, key, value)
	}
}

// canonical returns key as an HTTP header spells it. For the formats of this
// package it allocates nothing, where net/http makes a text at each call.
func canonical(key string) string {
	switch key {
	case keyTraceparent:
		return "Traceparent"
	case keyTracestate:
		return "Tracestate"
	case keyBaggage:
		return "Baggage"
	case keyWaybill:
		return "Waybill"
	default:
		return http.CanonicalHeaderKey(key)
	}
}
