// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"errors"
	"time"

	"github.com/waybill-go/waybill/propagation"
)

// Observer measures what [Process] and [ProcessBatch] see. Its methods take
// types of the standard library only, so that package metrics, which has one
// for Prometheus, does not depend on this one.
//
// An Observer never changes what is observed: if it panics, the call goes on.
// Its methods are called from many goroutines, between which they must not
// block. Methods are never added to this interface; what comes later comes as
// one more. The collection is the one that [WithCollection] names, or empty.
type Observer interface {
	// MongoTravelled is called when a document with a waybill is handled, before
	// the work on it: hop is the time since it was sent, which is the time it was
	// in the queue, and endToEnd that since its data set out. The span that
	// handles it is in ctx.
	MongoTravelled(ctx context.Context, collection string, hop, endToEnd time.Duration)
	// MongoProcessed is called when documents have been handled. The outcome is
	// success, failure, timeout, cancelled or panic. The error type is the same
	// as on the span, and empty for success.
	MongoProcessed(ctx context.Context, collection string, documents int, outcome, errorType string)
	// MongoDropped is called for a context that was not continued, or a time that
	// was not measured. The reason is one of the constants in the package
	// documentation.
	MongoDropped(reason string)
}

// The reasons that [Observer.MongoDropped] is called with.
const (
	dropMalformed = "malformed_context" // A document held a context that is none.
	dropSkew      = "clock_skew"        // A time was in the future, and counted as now.
)

// WithObserver measures with o; nil means not at all.
func WithObserver(o Observer) Option {
	return optionFunc(func(cfg config) config { cfg.observer = observed{o}; return cfg })
}

// observed calls an [Observer] that may be nil and may panic.
type observed struct{ to Observer }

func contain() { _ = recover() }

func (o observed) travelled(ctx context.Context, collection string, hop, endToEnd time.Duration) {
	defer contain()
	o.to.MongoTravelled(ctx, collection, hop, endToEnd)
}

func (o observed) processed(ctx context.Context, collection string, documents int, outcome, errorType string) {
	if o.to != nil {
		defer contain()
		o.to.MongoProcessed(ctx, collection, documents, outcome, errorType)
	}
}

func (o observed) dropped(reason string) {
	defer contain()
	o.to.MongoDropped(reason)
}

// arrived reports the way that documents have come.
func (o observed) arrived(ctx context.Context, collection string, remotes []propagation.Remote) {
	if o.to == nil {
		return
	}
	for _, r := range remotes {
		if _, ok := errors.AsType[*propagation.MalformedError](r.Err()); ok {
			o.dropped(dropMalformed)
		}
		if w := r.Waybill(); !w.IsZero() {
			o.travelled(ctx, collection, o.since(w.Sent), o.since(w.Origin))
		}
	}
}

// since returns the time since t, which the clock of another machine gave.
func (o observed) since(t time.Time) time.Duration {
	d := time.Since(t)
	if d < 0 {
		o.dropped(dropSkew)
		return 0
	}
	return d
}
