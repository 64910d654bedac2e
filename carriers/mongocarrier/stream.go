// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"iter"
)

// Stream is a cursor or a change stream of either driver.
type Stream interface {
	Next(ctx context.Context) bool
}

// Documents returns an iterator over the documents of a cursor, each with ctx as
// [ExtractRaw] returns it for the document:
//
//	current := func() bson.Raw { return cursor.Current }
//	for ctx, doc := range mongocarrier.Documents(ctx, cursor, current) {
//		…
//	}
//	if err := cursor.Err(); err != nil {
//
// It ends when Next returns false; Err and Close remain the caller's. A document
// is valid until the next one, as the Current of the cursor is. If stream or
// current is nil, there are no documents.
func Documents[R ~[]byte](ctx context.Context, stream Stream, current func() R, opts ...Option) iter.Seq2[context.Context, R] {
	return withContexts(ctx, stream, current, func(doc R) context.Context { return ExtractRaw(ctx, doc, opts...) })
}

// ChangeEvents returns an iterator over the events of a change stream, each with
// ctx that has the context which the change has written. A context found
// elsewhere is not added; see [ReadChangeEvent] and [WithContextSource]. The rest
// is as for [Documents].
func ChangeEvents[R ~[]byte](ctx context.Context, stream Stream, current func() R, opts ...Option) iter.Seq2[context.Context, R] {
	return withContexts(ctx, stream, current, func(event R) context.Context {
		if remote, source := ReadChangeEvent(event, opts...); source == ContextSourceWritten {
			return remote.Context(ctx)
		}
		return ctx
	})
}

func withContexts[R ~[]byte](ctx context.Context, stream Stream, current func() R, extract func(R) context.Context) iter.Seq2[context.Context, R] {
	return func(yield func(context.Context, R) bool) {
		for stream != nil && current != nil && stream.Next(ctx) {
			if doc := current(); !yield(extract(doc), doc) {
				return
			}
		}
	}
}
