// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/internal/semconv"
	"github.com/waybill-go/waybill/propagation"
)

// DefaultField is the field of a document that holds the context, unless
// [WithField] names another.
const DefaultField = "_otel"

// DebeziumField is the default field of [Properties]: the one in which the
// outbox connector of Debezium looks.
// https://debezium.io/documentation/reference/stable/integrations/tracing.html
const DebeziumField = "tracingspancontext"

// Option changes how a context is carried and what is recorded. When one is
// given twice the last counts, and a nil one does not count. One that has no
// meaning for a function has no effect on it.
type Option interface {
	apply(config) config
}

type optionFunc func(config) config

func (f optionFunc) apply(cfg config) config { return f(cfg) }

// The places of the options that propagation is called with.
const (
	baggageSlot = iota
	propagatorSlot
	policySlot
	maxBytesSlot
	slots
)

// config is passed by value. The options of propagation are kept in an array,
// so that handing them on costs nothing.
type config struct {
	forward  [slots]propagation.Option
	keep     propagation.Policy
	field    string
	blocked  bool // whether no document can have that field.
	form     Form
	copying  copying
	captured *TraceContext

	lastWriter string

	tracer     *scope.Tracer
	observer   observed
	start      []propagation.StartOption
	collection string
	attempt    int
	origin     Origin
	isBatch    bool
}

// withoutBaggage keeps baggage out of the documents of those who did not ask
// for it.
var withoutBaggage = propagation.WithoutBaggage() //nolint:gochecknoglobals // constant.

// replace is how what is there is cleared.
var replace = propagation.WithPolicy(propagation.Replace) //nolint:gochecknoglobals // constant.

// globalTracer serves those who did not set a provider.
var globalTracer = newTracer(nil) //nolint:gochecknoglobals // it resolves OpenTelemetry's own global.

func newTracer(provider trace.TracerProvider) *scope.Tracer {
	return scope.NewTracer("carriers/mongocarrier", provider, semconv.SchemaURL)
}

func newConfig(opts []Option) config {
	cfg := config{tracer: globalTracer}
	cfg.forward[baggageSlot] = withoutBaggage
	for _, o := range opts {
		if o != nil {
			cfg = o.apply(cfg)
		}
	}
	if cfg.field == "" {
		cfg.field = cfg.form.defaultField()
	}
	return cfg
}

// Form is how a context stands in a document.
type Form int

const (
	// SubDocument is a document of its own, {traceparent: "…", waybill: "…"},
	// which belongs to this package whole. It is the default.
	SubDocument Form = iota
	// Flat is elements among those of the user, in the outermost document or in
	// the one that [WithField] names. One inject after another makes them the
	// last elements again.
	Flat
	// Properties is one string in the format of Java's Properties, as the
	// outbox of Debezium reads it.
	Properties
)

func (f Form) defaultField() string {
	switch f {
	case Flat:
		return ""
	case Properties:
		return DebeziumField
	default:
		return DefaultField
	}
}

// WithForm sets how the context stands in the document.
func WithForm(f Form) Option {
	return optionFunc(func(cfg config) config { cfg.form = f; return cfg })
}

// WithField sets the field that holds the context. A path with dots names a
// field of a nested document, which is made if it is not there; it is never a
// name with dots in it. "" means the default of the form.
//
// Keep the field out of filters, unique indexes, shard keys and the metaField
// of a time series: its value is another one for each document. A path that no
// field can have, or that leads into _id, is reported once and takes nothing.
func WithField(path string) Option {
	blocked := path != "" && !validPath(path)
	return optionFunc(func(cfg config) config {
		cfg.field, cfg.blocked = path, blocked
		return cfg
	})
}

// copying says whose memory an inject writes to.
type copying int

const (
	inPlace copying = iota
	copied
)

// WithCopy makes an inject return a copy and leave the document it was given
// as it is. Use it when others hold that document too.
func WithCopy() Option {
	return optionFunc(func(cfg config) config { cfg.copying = copied; return cfg })
}

// WithCaptured writes c, which [Capture] returned earlier, instead of the
// context of ctx: for documents that are written together, for a callback that
// a driver may call again, and for a relay that must not replace the context of
// the one who wrote. A zero c is a context without a span. Of the baggage in c
// only what [WithBaggage] names is written.
func WithCaptured(c TraceContext) Option {
	return optionFunc(func(cfg config) config { cfg.captured = &c; return cfg })
}

// WithPropagator uses p instead of the global propagator; nil means the global
// one at the time of the call.
func WithPropagator(p propagation.TextMapPropagator) Option {
	return forward(propagatorSlot, propagation.WithPropagator(p))
}

// WithPolicy sets what happens to a context that a document holds already.
func WithPolicy(p propagation.Policy) Option {
	o := propagation.WithPolicy(p)
	return optionFunc(func(cfg config) config {
		cfg.keep, cfg.forward[policySlot] = p, o
		return cfg
	})
}

// WithMaxBytes limits the keys and values that a context adds to a document to
// n bytes, as [propagation.WithMaxBytes] does.
func WithMaxBytes(n int) Option { return forward(maxBytesSlot, propagation.WithMaxBytes(n)) }

// WithBaggage lets the baggage members named keys pass, and no other, both into
// documents and out of them. Without this option none passes, because a
// document keeps what is written to it, and so do its backups.
func WithBaggage(keys ...string) Option {
	return forward(baggageSlot, propagation.WithBaggage(keys...))
}

// WithoutBaggage lets no baggage pass, which is the default.
func WithoutBaggage() Option { return forward(baggageSlot, withoutBaggage) }

func forward(slot int, o propagation.Option) Option {
	return optionFunc(func(cfg config) config { cfg.forward[slot] = o; return cfg })
}

// WithTracerProvider records spans with provider instead of the global one; nil
// means the global one at the time of the call.
func WithTracerProvider(provider trace.TracerProvider) Option {
	tracer := globalTracer
	if provider != nil {
		tracer = newTracer(provider)
	}
	return optionFunc(func(cfg config) config { cfg.tracer = tracer; return cfg })
}

// WithStartOptions says how the spans of [Process] and [ProcessBatch] relate to
// the contexts of the documents: see [propagation.AsParent],
// [propagation.AsLink], [propagation.WithMaxAge] and
// [propagation.WithUntrusted].
func WithStartOptions(opts ...propagation.StartOption) Option {
	opts = slices.Clone(opts)
	return optionFunc(func(cfg config) config { cfg.start = opts; return cfg })
}

// WithCollection names the collection that the documents come from, in the name
// and the attributes of the span.
func WithCollection(name string) Option {
	return optionFunc(func(cfg config) config { cfg.collection = name; return cfg })
}

// keys returns the names of the fields that a Flat context has.
func (cfg *config) keys() []string {
	s := newSlip()
	defer s.release()
	s.clearAll(cfg)
	return slices.Clone(s.cleared)
}

// join returns the path of a field of a Flat context.
func (cfg *config) join(name string) string {
	if cfg.field == "" {
		return name
	}
	return cfg.field + "." + name
}

// place returns the document that holds the context, "" for the outermost, and
// the field in it; a Flat context has none.
func (cfg *config) place() (parent, leaf string) {
	if cfg.form == Flat {
		return cfg.field, ""
	}
	if dot := strings.LastIndexByte(cfg.field, '.'); dot >= 0 {
		return cfg.field[:dot], cfg.field[dot+1:]
	}
	return "", cfg.field
}

// validPath reports whether a document can have a field of that path, and one
// that may change.
func validPath(path string) bool {
	if !utf8.ValidString(path) {
		return false
	}
	for rest, more := path, true; more; {
		var name string
		name, rest, more = strings.Cut(rest, ".")
		if name == "" || name[0] == '$' || strings.IndexByte(name, 0) >= 0 {
			return false
		}
	}
	return path != "_id" && !strings.HasPrefix(path, "_id.")
}
