// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

// write writes f to the carrier. It reports whether the carrier keeps the trace
// context that it holds.
func write[C any](f *Fields, carrier C, setter Setter[C], cfg *config) (kept bool) {
	if f.IsEmpty() {
		return false
	}
	if f.keepsExisting && holdsTraceContext(carrier, setter, cfg) {
		return true
	}
	if whole, ok := setter.(FieldsSetter[C]); ok {
		whole.SetFields(carrier, *f)
		return false
	}
	clearFields(f, carrier, setter)
	f.each(func(key, value string) bool {
		setter.Set(carrier, key, value)
		return true
	})
	return false
}

// holdsTraceContext reports whether the carrier holds a valid trace context.
func holdsTraceContext[C any](carrier C, setter Setter[C], cfg *config) bool {
	getter, ok := setter.(Getter[C])
	if !ok {
		return false
	}
	var r Remote
	read(&r, carrier, getter, cfg)
	return r.spanContext.IsValid()
}

// clearFields removes what f clears, by the best means the setter has.
// OpenTelemetry's propagators do not, and so mix two contexts on a carrier that
// is injected twice.
func clearFields[C any](f *Fields, carrier C, setter Setter[C]) {
	deleter, _ := setter.(Deleter[C])
	for _, key := range f.codec.fields {
		clearKey(carrier, setter, deleter, key)
	}
	if f.codec.baggagePrefix == "" {
		return
	}
	if keyer, ok := setter.(Keyer[C]); ok {
		for _, key := range keyer.Keys(carrier) {
			if hasPrefixFold(key, f.codec.baggagePrefix) {
				clearKey(carrier, setter, deleter, key)
			}
		}
	}
}

func clearKey[C any](carrier C, setter Setter[C], deleter Deleter[C], key string) {
	if deleter != nil {
		deleter.Delete(carrier, key)
		return
	}
	if getter, ok := setter.(Getter[C]); ok && getter.Get(carrier, key) != "" {
		setter.Set(carrier, key, "")
	}
}
