// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import "strings"

// The keys of the formats of this package.
const (
	keyTraceparent = "traceparent" // https://www.w3.org/TR/trace-context-2/#traceparent-header
	keyTracestate  = "tracestate"  // https://www.w3.org/TR/trace-context-2/#tracestate-header
	keyBaggage     = "baggage"     // https://www.w3.org/TR/baggage/#baggage-http-header-format
	keyWaybill     = "waybill"
)

// OpenTracing has a key for each member of its baggage, which its propagator
// does not name among its fields.
const (
	openTracingField   = "ot-tracer-traceid"
	openTracingBaggage = "ot-baggage-"
)

// keyKind is the part of a context that is kept under a key.
type keyKind uint8

const (
	kindOther        keyKind = iota // A key that no known format uses.
	kindTraceContext                // The ids of a span, or what belongs to them.
	kindTracestate
	kindBaggage
	kindWaybill
)

// IsContextKey reports whether a known format of trace context, baggage or
// waybill uses key, in any case. A carrier that is given a new context must not
// keep an old one in another format, because its reader may continue that one.
//
// The formats are W3C Trace Context and Baggage, the waybill, B3, Jaeger, X-Ray,
// OpenTracing, Datadog, Elastic APM, Sentry, SkyWalking, Instana, New Relic and
// Google Cloud Trace. The key dd-pathway-ctx-base64 of Datadog is not one of
// them: it records the path of the data rather than a trace context.
func IsContextKey(key string) bool { return kindOf(key) != kindOther }

// kindOf returns the part of a context that is kept under key.
func kindOf(key string) keyKind {
	if key == "" {
		return kindOther
	}
	switch key[0] | ' ' { // The initials of knownKeys and knownPrefixes, in lower case.
	case 'b', 'e', 'j', 'n', 'o', 's', 't', 'u', 'w', 'x':
	default:
		return kindOther
	}
	for i := range knownKeys {
		if known := &knownKeys[i]; len(key) == len(known.text) && strings.EqualFold(key, known.text) {
			return known.kind
		}
	}
	for i := range knownPrefixes {
		if known := &knownPrefixes[i]; hasPrefixFold(key, known.text) {
			return known.kind
		}
	}
	return kindOther
}

type knownKey struct {
	text string // in lower case.
	kind keyKind
}

// knownKeys are the keys of the known formats, and knownPrefixes what others of
// their keys begin with.
var (
	knownKeys = [...]knownKey{
		{keyTraceparent, kindTraceContext},
		{keyTracestate, kindTracestate},
		{keyBaggage, kindBaggage},
		{keyWaybill, kindWaybill},
		{"b3", kindTraceContext},
		{"uber-trace-id", kindTraceContext},
		{"jaeger-debug-id", kindTraceContext},
		{"jaeger-baggage", kindBaggage},
		{"x-amzn-trace-id", kindTraceContext},
		{"x-cloud-trace-context", kindTraceContext},
		{"elasticapmtraceparent", kindTraceContext},
		{"elastic-apm-traceparent", kindTraceContext},
		{"sentry-trace", kindTraceContext},
		{"sw8", kindTraceContext},
		{"sw8-x", kindTraceContext},
		{"sw8-correlation", kindBaggage},
		{"newrelic", kindTraceContext},
	}
	knownPrefixes = [...]knownKey{
		{"x-b3-", kindTraceContext},
		{"uberctx-", kindBaggage},
		{"ot-tracer-", kindTraceContext},
		{openTracingBaggage, kindBaggage},
		{"x-datadog-", kindTraceContext},
		{"x_instana_", kindTraceContext},
		{"x-instana-", kindTraceContext},
	}
)

// commonKeys are the common spellings of keys that hold the ids of a span, for carriers
// that do not list their keys.
var commonKeys = [...]string{
	keyTraceparent, "Traceparent", "TRACEPARENT", "b3", "x-b3-traceid", "X-B3-TraceId", "uber-trace-id", "Uber-Trace-Id",
	"x-datadog-trace-id", "X-Datadog-Trace-Id", "x-amzn-trace-id", "X-Amzn-Trace-Id", "x-cloud-trace-context", "X-Cloud-Trace-Context",
	"sentry-trace", "sw8", "newrelic", "elasticapmtraceparent", "elastic-apm-traceparent", "Elastic-Apm-Traceparent",
	openTracingField, "x-instana-t", "X-INSTANA-T", "x_instana_t",
}

// formatOf returns the name of the format in which value, under key, has the id of a
// span, or the empty string. Load balancers add a header of X-Ray that has none, and B3
// has a sampling decision alone: 0, 1 or d.
func formatOf(key, value string) string {
	for i := range knownFormats {
		if f := &knownFormats[i]; len(value) > 1 && sameKey(key, f.key) && strings.Contains(value, f.contains) {
			return f.name
		}
	}
	return ""
}

// knownFormats are formats by the key of the ids, and by what is in its value.
var knownFormats = [...]struct{ key, name, contains string }{
	{key: keyTraceparent, name: "W3C Trace Context"},
	{key: "b3", name: "B3", contains: "-"},
	{key: "x-b3-traceid", name: "B3"},
	{key: "uber-trace-id", name: "Jaeger"},
	{key: "x-amzn-trace-id", name: "X-Ray", contains: "Parent="},
	{key: "x-cloud-trace-context", name: "Google Cloud Trace"},
	{key: "elasticapmtraceparent", name: "Elastic APM"},
	{key: "elastic-apm-traceparent", name: "Elastic APM"},
	{key: "sentry-trace", name: "Sentry"},
	{key: "sw8", name: "SkyWalking"},
	{key: "newrelic", name: "New Relic"},
	{key: openTracingField, name: "OpenTracing"},
	{key: "x-datadog-trace-id", name: "Datadog"},
	{key: "x_instana_t", name: "Instana"},
	{key: "x-instana-t", name: "Instana"},
}

// hasPrefixFold reports whether key begins with prefix, in any case, and is
// longer.
func hasPrefixFold(key, prefix string) bool {
	return len(key) > len(prefix) && strings.EqualFold(key[:len(prefix)], prefix)
}

// holdsSpanID reports whether a known format keeps an id of a span under key.
func holdsSpanID(key string) bool {
	for _, known := range [...]string{
		keyTraceparent, "b3", "x-b3-traceid", "x-b3-spanid", "uber-trace-id", "x-amzn-trace-id", openTracingField, "ot-tracer-spanid",
	} {
		if sameKey(key, known) {
			return true
		}
	}
	return false
}

// UsesContextKeys reports whether [IsContextKey] reports true for every key that
// is written and read with opts, so that a carrier need not look at others.
func UsesContextKeys(opts ...Option) bool { return newConfig(opts).codec.native }
