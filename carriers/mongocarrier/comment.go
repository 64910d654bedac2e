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

// Comment returns the comment of an operation with the trace context of ctx
// appended, so that the logs and the profiler of the server lead to the trace:
//
//	find orders by day traceparent='00-…-01'
//
// A comment does not reach the readers of documents. If ctx has no valid span,
// or if comment has a traceparent already, comment is returned as it is. A
// comment never has baggage or a waybill. All servers since MongoDB 4.4 take a
// string, and so do others that speak its protocol. An operation keeps its
// comment as long as its cursor is open, so there is none to set on a getMore.
func Comment(ctx context.Context, comment string, opts ...propagation.Option) string {
	if strings.Contains(comment, keyTraceparent) {
		return comment
	}
	var b strings.Builder
	b.WriteString(comment)
	for _, e := range commentEntries(ctx, opts) {
		if !utf8.ValidString(e.value) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(e.key + "='" + strings.ReplaceAll(e.value, "'", "%27") + "'")
	}
	return b.String()
}

// CommentDocument returns the comment of an operation as a document with the
// keys of the trace context, and the comment of the user, if it is a string, as
// its text:
//
//	{text: "find orders by day", traceparent: "00-…-01"}
//
// A comment that is a document of any kind gets the keys too, in a copy of it.
// Any other comment, and one that has a traceparent already, is returned as it
// is; so is every comment if ctx has no valid span. Servers before MongoDB 4.4,
// and others that speak its protocol, take strings only: see [Comment].
func CommentDocument(ctx context.Context, comment any, opts ...propagation.Option) any {
	entries := commentEntries(ctx, opts)
	if len(entries) == 0 {
		return comment
	}
	switch user := comment.(type) {
	case nil:
		comment = map[string]any{}
	case string:
		comment = map[string]any{"text": user}
	}
	r := newReader()
	defer r.release()
	if r.load(comment); r.get(keyTraceparent) != "" {
		return comment
	}
	document, _ := editValue(comment, "", &edit{isFlat: true, all: elemsOf(entries)})
	return document
}

// commentEntries returns what a comment has of the context of ctx.
func commentEntries(ctx context.Context, opts []propagation.Option) []entry {
	fields := propagation.Encode(ctx, append(slices.Clip(opts), propagation.WithoutBaggage())...)
	if !fields.HasTraceContext() {
		return nil
	}
	fields = fields.Without(keyWaybill) // A comment is not sent to anyone.
	return newField(&fields).entries()
}
