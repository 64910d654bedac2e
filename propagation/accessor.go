// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

// Setter writes one value to a carrier. A Set replaces every value the carrier
// holds under key. It must not keep carrier or write to memory the carrier
// does not own.
type Setter[C any] interface {
	Set(carrier C, key, value string)
}

// Getter reads one value of a carrier: "" when there is none under key.
type Getter[C any] interface {
	Get(carrier C, key string) string
}

// Deleter is what a [Setter] may also be: with it [Inject] removes stale
// fields. A setter without it that is a [Getter] has them set to "" instead,
// which every propagator reads as absent; a bare one keeps them.
type Deleter[C any] interface {
	Delete(carrier C, key string)
}

// Keyer is what a [Getter] may also be: with it propagators that search for
// keys, as the baggage of Jaeger and OpenTracing does, find them. Get must work
// for each key it returns.
type Keyer[C any] interface {
	Keys(carrier C) []string
}

// ValuesGetter is what a [Getter] may also be when its medium repeats keys:
// with it baggage that came in several values is merged, in their order.
type ValuesGetter[C any] interface {
	Values(carrier C, key string) []string
}

// BytesGetter is what a [Getter] may also be when its medium holds bytes: with
// it a traceparent and a waybill are read without copying. The result is not
// kept and not changed. It is nil when there is no value under key.
type BytesGetter[C any] interface {
	GetBytes(carrier C, key string) []byte
}

// BytesSetter is what a [Setter] may also be when its medium holds bytes: with
// it a traceparent and a waybill are written without a string between. The
// value is valid during the call only, so SetBytes must copy it.
type BytesSetter[C any] interface {
	SetBytes(carrier C, key string, value []byte)
}

// SetterFunc is a function that is a [Setter].
type SetterFunc[C any] func(carrier C, key, value string)

// Set calls f. A nil f writes nothing.
func (f SetterFunc[C]) Set(carrier C, key, value string) {
	if f != nil {
		f(carrier, key, value)
	}
}

// GetterFunc is a function that is a [Getter].
type GetterFunc[C any] func(carrier C, key string) string

// Get calls f. A nil f holds nothing.
func (f GetterFunc[C]) Get(carrier C, key string) string {
	if f == nil {
		return ""
	}
	return f(carrier, key)
}

// adapter is a carrier with its accessors as a TextMapCarrier, for propagators
// that are not ours.
type adapter[C any] struct {
	carrier C
	getter  Getter[C]
	setter  Setter[C]
}

// textMapOf returns carrier as a TextMapCarrier. One that is read and written by
// its own methods already is one.
func textMapOf[C any](carrier C, getter Getter[C], setter Setter[C]) TextMapCarrier {
	if own, ok := getter.(ownMethods); ok {
		return own.textMapCarrier(carrier)
	}
	a := adapter[C]{carrier: carrier, getter: getter, setter: setter}
	if multi, ok := getter.(ValuesGetter[C]); ok {
		return &multiAdapter[C]{adapter: a, multi: multi}
	}
	return &a
}

func (a *adapter[C]) Get(key string) string {
	if a.getter == nil {
		return ""
	}
	return a.getter.Get(a.carrier, key)
}

func (a *adapter[C]) Set(key, value string) {
	if a.setter != nil {
		a.setter.Set(a.carrier, key, value)
	}
}

func (a *adapter[C]) Keys() []string {
	if keyer, ok := a.getter.(Keyer[C]); ok {
		return keyer.Keys(a.carrier)
	}
	return nil
}

// multiAdapter is an adapter of a medium that repeats keys. OpenTelemetry's
// Baggage reads one with Values at a higher cost, so the others have none.
type multiAdapter[C any] struct {
	adapter[C]

	multi ValuesGetter[C]
}

func (a *multiAdapter[C]) Values(key string) []string { return a.multi.Values(a.carrier, key) }
