// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

// write writes f to the carrier.
func write[C any](f *Fields, carrier C, setter Setter[C], cfg *config) {
	if f.IsEmpty() || f.keepsExisting && holdsTraceContext(carrier, setter, cfg) {
		return
	}
	if whole, ok := setter.(FieldsSetter[C]); ok {
		whole.SetFields(carrier, *f)
		return
	}
	clearFields(f, carrier, setter)
	for key, value := range f.All() {
		setter.Set(carrier, key, value)
	}
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
	for _, key := range f.codec.fields {
		clearKey(carrier, setter, key)
	}
	if f.codec.baggagePrefix == "" {
		return
	}
	if keyer, ok := setter.(Keyer[C]); ok {
		for _, key := range keyer.Keys(carrier) {
			if hasPrefixFold(key, f.codec.baggagePrefix) {
				clearKey(carrier, setter, key)
			}
		}
	}
}

func clearKey[C any](carrier C, setter Setter[C], key string) {
	if deleter, ok := setter.(Deleter[C]); ok {
		deleter.Delete(carrier, key)
		return
	}
	if getter, ok := setter.(Getter[C]); ok && getter.Get(carrier, key) != "" {
		setter.Set(carrier, key, "")
	}
}
