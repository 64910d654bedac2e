// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/internal/flowlink"
)

// maxLinks is the number of links a span keeps by default.
// https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits
const maxLinks = 128

// linkCountKey is the attribute with the number of distinct contexts that a span
// of several remotes handles, and linksDroppedKey the one with how many of them are
// not linked.
const (
	linkCountKey    = attribute.Key("waybill.link_count")
	linksDroppedKey = attribute.Key("waybill.links_dropped")
)

// StartOption configures how [Start] relates its span to the remotes. If an
// option is given more than once, the last one wins, except for
// [WithSpanOptions]. Nil options are ignored.
type StartOption interface {
	applyStart(startConfig) startConfig
}

type startConfig struct {
	relation       relation
	maxAge         time.Duration
	maxLinks       int
	untrusted      bool
	linkAttributes func(i int) []attribute.KeyValue
	spanOptions    []trace.SpanStartOption
}

type relation int

const (
	ambientFirst relation = iota
	asParent
	asLink
)

type startOptionFunc func(startConfig) startConfig

func (f startOptionFunc) applyStart(cfg startConfig) startConfig { return f(cfg) }

// AsParent makes the remote span the parent even if ctx has a span, which is
// then linked. Several remotes become one parent only if all hold one context.
func AsParent() StartOption {
	return startOptionFunc(func(cfg startConfig) startConfig { cfg.relation = asParent; return cfg })
}

// AsLink makes the span a new root with links to the remote spans, and to the
// span of ctx if there is one.
func AsLink() StartOption {
	return startOptionFunc(func(cfg startConfig) startConfig { cfg.relation = asLink; return cfg })
}

// WithMaxAge keeps a remote whose waybill was sent longer than d ago from being
// the parent: the span is then a child of the span in ctx, or else a new root,
// with a link. A remote without a waybill has no age. The default is 0; a value
// of 0 or less means no limit.
func WithMaxAge(d time.Duration) StartOption {
	return startOptionFunc(func(cfg startConfig) startConfig { cfg.maxAge = d; return cfg })
}

// WithUntrusted treats the remotes as coming from an untrusted source: they are
// linked but never become the parent, and their tracestate, baggage, waybill and
// other values are discarded. What [Extract] put into ctx of them is discarded
// too, except for the values of propagators other than those of [Default].
//
// [IsUntrusted] reports true for the returned ctx, so that code that finds the
// same contexts on the data it handles does not continue them either.
func WithUntrusted() StartOption {
	return startOptionFunc(func(cfg startConfig) startConfig { cfg.untrusted = true; return cfg })
}

// WithMaxLinks sets the number of links of the span. The default is 128, also if n is
// less than 1. It is what a span keeps by default, so a higher number needs a tracer
// provider with a higher limit.
func WithMaxLinks(n int) StartOption {
	return startOptionFunc(func(cfg startConfig) startConfig { cfg.maxLinks = n; return cfg })
}

// WithLinkAttributes sets the attributes of the link to remotes[i] to f(i). f is
// called only for linked remotes. If f panics, the link has no attributes. If f
// is nil, no link has attributes.
func WithLinkAttributes(f func(i int) []attribute.KeyValue) StartOption {
	return startOptionFunc(func(cfg startConfig) startConfig { cfg.linkAttributes = f; return cfg })
}

// WithSpanOptions adds options for the span, such as its kind and attributes. If
// given more than once, all of them are used. Nil options are ignored.
func WithSpanOptions(opts ...trace.SpanStartOption) StartOption {
	opts = slices.Clip(slices.DeleteFunc(slices.Clone(opts), func(o trace.SpanStartOption) bool { return o == nil }))
	return startOptionFunc(func(cfg startConfig) startConfig {
		if len(cfg.spanOptions) == 0 {
			cfg.spanOptions = opts
		} else {
			cfg.spanOptions = slices.Concat(cfg.spanOptions, opts)
		}
		return cfg
	})
}

// Start opens the span that handles remotes and returns it with a ctx that
// carries it. The caller ends the span.
//
// If there is one remote, a span in ctx stays the parent and the remote is
// linked; with no span in ctx the remote is the parent, and linked too. The
// returned ctx has the baggage, the waybill and the other values of the remote.
// A span in ctx may be remote: a job that called [Extract] at its start should
// start a span of its own, or use [AsParent] for the messages it handles.
//
// If there are several remotes, all are linked: each context once, at most 128, see
// [WithMaxLinks], chosen evenly, in their order. The remote with the earliest origin in its
// waybill is always among them, and package flowsampler takes the randomness of
// the flow from it. The attribute waybill.link_count is the number of distinct
// contexts, and waybill.links_dropped how many of them are not linked, unless all
// are. The returned ctx has the baggage of ctx, and a waybill with the
// oldest times and the most hops of the remotes.
//
// Remotes without a span context are not linked. If ctx was extracted from one
// of the carriers, its remote span is treated as no span in ctx. If tracer is
// nil, panics, or returns no span or no context, the span records nothing.
//
// If a [Journal] is asked for, the attribute waybill.extract says how the remotes were
// read: ok, absent, malformed with the key and the reason, or foreign with the format;
// of several, the worst. A Remote that was not read from a carrier has none.
func Start(ctx context.Context, tracer trace.Tracer, name string, remotes []Remote, opts ...StartOption) (started context.Context, span trace.Span) {
	var cfg startConfig
	for _, o := range opts {
		if o != nil {
			cfg = o.applyStart(cfg)
		}
	}
	ctx = orBackground(ctx)
	var room [few]int
	set := linkSet{indexes: room[:0]}
	set.add(remotes)
	ambient := spanContext(ctx)
	own := ambient.IsRemote() && set.contains(remotes, ambient) // ctx was extracted from one of the carriers.
	if own {
		ambient = trace.SpanContext{}
	}
	if cfg.untrusted {
		ctx = untrusted(ctx, remotes, own)
	} else {
		ctx = withCompanions(ctx, remotes)
	}

	const more = 4 // What is appended.
	options := append(make([]trace.SpanStartOption, 0, len(cfg.spanOptions)+more), cfg.spanOptions...)
	links, dropped := set.links(remotes, &cfg, ambient)
	if len(links) > 0 {
		options = append(options, trace.WithLinks(links...))
	}
	if len(remotes) > 1 {
		options = append(options, trace.WithAttributes(linkCountKey.Int(len(set.indexes))))
	}
	if dropped > 0 {
		options = append(options, trace.WithAttributes(linksDroppedKey.Int(dropped)))
	}
	isNoted := tracer != nil && (askers.Load() != nobody || areNoted(remotes))
	if isNoted {
		options = append(options, trace.WithAttributes(extracted(ctx, remotes)...))
	}
	parent := cfg.parent(remotes, &set, ambient)
	switch {
	case parent.IsValid() && parent.Equal(ambient):
	case parent.IsValid():
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	default:
		options = append(options, trace.WithNewRoot())
		if set.earliest > 0 {
			ctx = flowlink.ContextWithEarliest(ctx, remotes[set.indexes[set.earliest]].spanContext)
		}
	}
	started, span = startSpan(ctx, tracer, name, options)
	if isNoted {
		noteStart(ctx, remotes, parent, span)
	}
	return started, span
}

// parent chooses the parent: the ambient span, the only remote, or none.
func (cfg *startConfig) parent(remotes []Remote, set *linkSet, ambient trace.SpanContext) trace.SpanContext {
	candidate := len(set.indexes) == 1 && (len(remotes) == 1 || cfg.relation == asParent)
	if candidate {
		candidate = !cfg.untrusted && !remotes[set.indexes[0]].waybill.olderThan(cfg.maxAge)
	}
	switch {
	case cfg.relation == asLink:
		return trace.SpanContext{}
	case candidate && (cfg.relation == asParent || !ambient.IsValid()):
		return remotes[set.indexes[0]].spanContext
	default:
		return ambient
	}
}

// olderThan reports whether w was sent longer than maxAge ago.
func (w Waybill) olderThan(maxAge time.Duration) bool {
	return maxAge > 0 && !w.Sent.IsZero() && time.Since(w.Sent) > maxAge
}

// startSpan starts the span, whatever the tracer and its sampler do.
func startSpan(ctx context.Context, tracer trace.Tracer, name string, options []trace.SpanStartOption) (started context.Context, span trace.Span) {
	if tracer == nil {
		return noop.Tracer{}.Start(ctx, name)
	}
	defer func() {
		if recover() != nil || started == nil || span == nil {
			started, span = noop.Tracer{}.Start(ctx, name) //nolint:fatcontext // set once, in place of the result.
		}
	}()
	return tracer.Start(ctx, name, options...)
}

// withCompanions returns ctx with what the remotes hold besides their spans.
func withCompanions(ctx context.Context, remotes []Remote) context.Context {
	if len(remotes) == 1 {
		return remotes[0].beside(ctx)
	}
	var merged Remote
	for i := range remotes {
		merged.waybill = merged.waybill.merge(remotes[i].waybill)
	}
	return merged.beside(ctx)
}

// merge returns the waybill of data made of the data of w and other.
func (w Waybill) merge(other Waybill) Waybill {
	if other.IsZero() {
		return w
	}
	if w.IsZero() {
		return other
	}
	if other.Origin.Before(w.Origin) {
		w.Origin = other.Origin
	}
	if other.Sent.Before(w.Sent) {
		w.Sent = other.Sent
	}
	w.Hops = max(w.Hops, other.Hops)
	return w
}

// linkSet is the distinct span contexts of some remotes.
type linkSet struct {
	indexes []int                // of the first remote of each, in order.
	seen    map[spanKey]struct{} // nil for few remotes, which are compared.

	// earliest is the position in indexes of the remote whose data entered the
	// flow first. Remotes without a waybill come after those with one.
	earliest int
}

// few is how many remotes are compared faster than they are looked up.
const few = 4

type spanKey struct {
	traceID trace.TraceID
	spanID  trace.SpanID
}

func keyOf(sc trace.SpanContext) spanKey { return spanKey{sc.TraceID(), sc.SpanID()} }

// add adds the contexts of remotes to s, which is empty.
func (s *linkSet) add(remotes []Remote) {
	if len(remotes) > few {
		s.indexes = make([]int, 0, len(remotes))
		s.seen = make(map[spanKey]struct{}, len(remotes))
	}
	for i := range remotes {
		sc := remotes[i].spanContext
		if !sc.IsValid() || s.contains(remotes, sc) {
			continue
		}
		if s.seen != nil {
			s.seen[keyOf(sc)] = struct{}{}
		}
		s.indexes = append(s.indexes, i)
		if remotes[i].waybill.enteredBefore(remotes[s.indexes[s.earliest]].waybill) {
			s.earliest = len(s.indexes) - 1
		}
	}
}

func (s *linkSet) contains(remotes []Remote, sc trace.SpanContext) bool {
	key := keyOf(sc)
	if s.seen != nil {
		_, ok := s.seen[key]
		return ok
	}
	for _, i := range s.indexes {
		if keyOf(remotes[i].spanContext) == key {
			return true
		}
	}
	return false
}

// enteredBefore reports whether the data of w entered the flow before that of other.
func (w Waybill) enteredBefore(other Waybill) bool {
	return !w.Origin.IsZero() && (other.Origin.IsZero() || w.Origin.Before(other.Origin))
}

// links returns the links to the remotes, and to the ambient span where that
// does not stay the parent, and how many remotes are not linked.
func (s *linkSet) links(remotes []Remote, cfg *startConfig, ambient trace.SpanContext) (links []trace.Link, dropped int) {
	room := maxLinks
	if cfg.maxLinks > 0 {
		room = cfg.maxLinks
	}
	linkAmbient := ambient.IsValid() && !s.contains(remotes, ambient) && !cfg.parent(remotes, s, ambient).Equal(ambient)
	if linkAmbient {
		room--
	}
	n := min(len(s.indexes), room)
	if n == 0 && !linkAmbient {
		return nil, 0
	}
	links = make([]trace.Link, 0, n+1)
	for i := range n {
		at, next := i*len(s.indexes)/n, (i+1)*len(s.indexes)/n
		if at < s.earliest && s.earliest < next {
			at = s.earliest
		}
		index := s.indexes[at]
		sc := remotes[index].spanContext
		if cfg.untrusted {
			sc = sc.WithTraceState(trace.TraceState{})
		}
		links = append(links, trace.Link{SpanContext: sc, Attributes: cfg.attributesOf(index)})
	}
	if linkAmbient {
		links = append(links, trace.Link{SpanContext: ambient})
	}
	return links, len(s.indexes) - n
}

// attributesOf returns the attributes of the link to remotes[i].
func (cfg *startConfig) attributesOf(i int) (attributes []attribute.KeyValue) {
	if cfg.linkAttributes == nil {
		return nil
	}
	defer func() {
		if recover() != nil {
			attributes = nil
		}
	}()
	return cfg.linkAttributes(i)
}
