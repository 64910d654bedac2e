// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"slices"
	"strings"
)

// Comment returns the comment of an operation with the context of ctx behind
// it, so that the logs and the profiler of the server lead to the trace:
//
//	find orders by day traceparent='00-…-01'
//
// A comment reaches nobody who reads the documents. Without a valid span in
// ctx, and when comment names a traceparent already, comment is returned as it
// is. Baggage never is in it. All servers since MongoDB 4.4 take a string, and
// so do others that speak its protocol. An operation keeps its comment while
// its cursor lives, so there is none to set on a getMore.
func Comment(ctx context.Context, comment string, opts ...Option) string {
	if strings.Contains(comment, keyTraceparent) {
		return comment
	}
	var b strings.Builder
	b.WriteString(comment)
	for _, f := range commentFields(ctx, opts) {
		value, ok := f.Value.(string)
		if !ok {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(unescapeKey(f.Key) + "='" + strings.ReplaceAll(value, "'", "%27") + "'")
	}
	return b.String()
}

// CommentDocument returns the comment of an operation as a document with the
// keys of the context, and the comment of the user, if it is a string, as its
// text:
//
//	{text: "find orders by day", traceparent: "00-…-01"}
//
// A comment that is a document of any kind gets the keys too, in a copy of it.
// One that is none, and one that has a traceparent, is returned as it is, and so
// is any without a valid span in ctx. Servers before MongoDB 4.4, and
// others that speak its protocol, take strings only: see [Comment].
func CommentDocument(ctx context.Context, comment any, opts ...Option) any {
	fields := commentFields(ctx, opts)
	if len(fields) == 0 {
		return comment
	}
	switch user := comment.(type) {
	case nil:
		comment = map[string]any{}
	case string:
		comment = map[string]any{"text": user}
	}
	if (valueGetter{}).Get(source(comment), keyTraceparent) != "" {
		return comment
	}
	document, _ := editValue(comment, "", &change{set: fields, copying: copied})
	return document
}

// commentFields returns what a comment carries of the context of ctx.
func commentFields(ctx context.Context, opts []Option) []elem {
	cfg := newConfig(append(slices.Clip(opts), WithoutBaggage()))
	s := newSlip()
	defer s.release()
	s.fill(ctx, &cfg)
	c := s.unpacked()
	c.Waybill = "" // a comment goes nowhere.
	return c.fields()
}
