// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
)

func TestComment(t *testing.T) {
	t.Parallel()
	ctx := withBaggage(t, stateCtx(t, traceparentA, "vendor=1"), "user=alice")
	for _, c := range []struct {
		comment string
		opts    []propagation.Option
		want    string
	}{
		{"find orders", nil, "find orders traceparent='" + traceparentA + "' tracestate='vendor=1'"},
		{"", nil, "traceparent='" + traceparentA + "' tracestate='vendor=1'"},
		{"mine traceparent='x'", nil, "mine traceparent='x'"},
		{"", []propagation.Option{propagation.WithBaggage("user")}, "traceparent='" + traceparentA + "' tracestate='vendor=1'"},
		{"q", []propagation.Option{propagation.WithPropagator(legacy{"k", "it's"})}, "q k='it%27s'"},
		{"q", []propagation.Option{propagation.WithPropagator(legacy{"k", "\xff"})}, "q"},
	} {
		if got := mongocarrier.Comment(ctx, c.comment, append([]propagation.Option{fullContext}, c.opts...)...); got != c.want {
			t.Errorf("%q became %q, want %q", c.comment, got, c.want)
		}
	}
	if got := mongocarrier.Comment(t.Context(), "find orders", fullContext); got != "find orders" {
		t.Errorf("without a span: %q", got)
	}
}

func TestCommentDocument(t *testing.T) {
	t.Parallel()
	ctx := withBaggage(t, stateCtx(t, traceparentA, "vendor=1"), "user=alice")
	opts := []propagation.Option{fullContext, propagation.WithBaggage("user")}
	for _, c := range []struct{ comment, want any }{
		{nil, map[string]any{"traceparent": traceparentA, "tracestate": "vendor=1"}},
		{"find", map[string]any{"text": "find", "traceparent": traceparentA, "tracestate": "vendor=1"}},
		{M{"q": 1}, M{"q": 1, "traceparent": traceparentA, "tracestate": "vendor=1"}},
		{D{{"q", 1}}, D{{"q", 1}, {"traceparent", traceparentA}, {"tracestate", "vendor=1"}}},
		{M{"traceparent": "x"}, M{"traceparent": "x"}},
		{D{{"traceparent", "x"}}, D{{"traceparent", "x"}}},
		{7, 7},
	} {
		if diff := cmp.Diff(c.want, mongocarrier.CommentDocument(ctx, c.comment, opts...)); diff != "" {
			t.Errorf("%v: %s", c.comment, diff)
		}
		if got := mongocarrier.CommentDocument(t.Context(), c.comment, opts...); !cmp.Equal(c.comment, got) {
			t.Errorf("%v without a span: %v", c.comment, got)
		}
	}
	if got := mongocarrier.CommentDocument(t.Context(), nil); got != nil {
		t.Errorf("nil became %T", got)
	}
	user := M{"q": 1}
	mongocarrier.CommentDocument(ctx, user, opts...)
	if len(user) != 1 {
		t.Errorf("the comment was written to: %v", user)
	}
}
