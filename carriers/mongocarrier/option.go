// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/waybill-go/waybill/propagation"
)

// DefaultField is the field of a document that holds the context, unless
// [WithField] names another.
const DefaultField = "_otel"

// DebeziumField is the default field of [FormProperties]. The outbox connector
// of Debezium reads it.
// https://debezium.io/documentation/reference/stable/integrations/tracing.html
const DebeziumField = "tracingspancontext"

// Option sets where a document has its context, what the context holds, and how
// it is written. The same options serve whoever writes and whoever reads: what
// concerns writing alone, [WithCaptured] and [WithInPlace], is ignored by readers.
// If an option is given more than once, the last one wins. Nil options are ignored.
type Option interface {
	apply(config) config
}

type optionFunc func(config) config

func (f optionFunc) apply(cfg config) config { return f(cfg) }

type config struct {
	context    []propagation.Option
	field      string
	invalid    bool // whether no document can have that field.
	form       Form
	lastWriter string
	captured   *Field
	inPlace    bool
}

func newConfig(opts []Option) config {
	cfg := config{context: withoutBaggage}
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

// emptyContext is a context without a span.
var emptyContext = context.Background() //nolint:forbidigo // constant.

// cleared returns what clears the keys of a context.
func (cfg *config) cleared() propagation.Fields {
	return propagation.Encode(emptyContext, append(cfg.replacing(), propagation.WithoutJournal())...)
}

// clearedNames returns the names of the fields that cleared clears, as far as
// the propagator names its keys.
func (cfg *config) clearedNames() []string {
	var names []string
	cleared := cfg.cleared()
	for _, key := range cleared.Cleared() {
		names = append(names, escapeKey(key))
	}
	return names
}

// replacing returns the options of a context that replaces every other one.
func (cfg *config) replacing() []propagation.Option {
	return append(slices.Clip(cfg.context), propagation.WithPolicy(propagation.Replace))
}

// WithPropagation sets what a context holds and which one is kept: the
// propagator, the policy, the limit in bytes, and the baggage. By default
// documents carry no baggage, because they and their backups keep it;
// [propagation.WithBaggage] names the members that may be written and read.
func WithPropagation(opts ...propagation.Option) Option {
	opts = contextOptions(opts)
	return optionFunc(func(cfg config) config { cfg.context = opts; return cfg })
}

// Form is the form of a context in a document.
type Form int

const (
	// FormSubDocument is a document of its own, {traceparent: "…", waybill: "…"},
	// which holds nothing else. It is the default.
	FormSubDocument Form = iota
	// FormFlat is elements among those of the user, in the outermost document or
	// in the document that [WithField] names.
	FormFlat
	// FormProperties is one string in the format of java.util.Properties, as the
	// outbox connector of Debezium reads it.
	FormProperties
)

func (f Form) defaultField() string {
	switch f {
	case FormFlat:
		return ""
	case FormProperties:
		return DebeziumField
	default:
		return DefaultField
	}
}

// WithForm sets the form of the context in the document.
func WithForm(f Form) Option {
	return optionFunc(func(cfg config) config { cfg.form = f; return cfg })
}

// WithField sets the field that holds the context. A path with dots names a
// field of a nested document, which is made if it is missing; it is never a name
// with dots in it. If path is empty, the default of the form is used.
//
// Keep the field out of filters, unique indexes, shard keys and the metaField of
// a time series, because its value differs for each document. If no document can
// have a field of that path, or if the path leads into _id, that is reported
// once to [otel.Handle] and nothing is written.
func WithField(path string) Option {
	invalid := path != "" && !isValidPath(path)
	return optionFunc(func(cfg config) config {
		cfg.field, cfg.invalid = path, invalid
		return cfg
	})
}

// WithLastWriterField sets the field to which [ModeBoth] writes the context of
// the last writer, and in which [ReadChangeEvent] looks first. If path is empty,
// it is the field of [WithField] with "_last" appended. To read it from a
// document, use WithField(path).
func WithLastWriterField(path string) Option {
	return optionFunc(func(cfg config) config { cfg.lastWriter = path; return cfg })
}

// WithCaptured writes f, which [Capture] has returned, instead of the context of
// ctx. Use it for documents that are written together, and in a callback that a
// driver may call again. A relay that copies documents uses it to keep the
// context of whoever wrote them: f is written as it is, without another hop in
// its waybill.
//
// If f is zero, it is a context without a span. Of the baggage in f, only the
// members that [propagation.WithBaggage] names are written.
func WithCaptured(f Field) Option {
	return optionFunc(func(cfg config) config { cfg.captured = &f; return cfg })
}

// WithInPlace makes [InjectD], [InjectM] and [InjectRaw] write to the memory of
// the document they are given, as append does, rather than to a copy. The
// document must not be used afterwards, only the result, and nothing else may
// use its memory or what lies behind it, as other documents do that a cursor or
// an array keeps in one buffer. A nested document that [WithField] names is
// still copied.
func WithInPlace() Option {
	return optionFunc(func(cfg config) config { cfg.inPlace = true; return cfg })
}

// lastWriterSuffix makes the field of the last writer from the other one.
const lastWriterSuffix = "_last"

func (cfg *config) lastField() string {
	if cfg.lastWriter == "" && cfg.field != "" {
		return cfg.field + lastWriterSuffix
	}
	return cfg.lastWriter
}

// place returns the path of the document that holds the context, which is empty
// for the outermost, and the name of the field in it, which a flat context does
// not have.
func (cfg *config) place() (parent, leaf string) {
	if cfg.form == FormFlat {
		return cfg.field, ""
	}
	if dot := strings.LastIndexByte(cfg.field, '.'); dot >= 0 {
		return cfg.field[:dot], cfg.field[dot+1:]
	}
	return "", cfg.field
}

// join returns the path of a field of a flat context.
func (cfg *config) join(name string) string {
	if cfg.field == "" {
		return name
	}
	return cfg.field + "." + name
}

// isValidPath reports whether a document can have a field of that path that may
// change.
func isValidPath(path string) bool {
	if !utf8.ValidString(path) {
		return false
	}
	for name := range strings.SplitSeq(path, ".") {
		if name == "" || name[0] == '$' || strings.IndexByte(name, 0) >= 0 {
			return false
		}
	}
	return !isWithin(path, "_id")
}

// isWithin reports whether path is field, or leads into it.
func isWithin(path, field string) bool {
	rest, ok := strings.CutPrefix(path, field)
	return ok && (rest == "" || rest[0] == '.')
}
