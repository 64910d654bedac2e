// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// drops is an observer that keeps the reasons.
type drops struct{ reasons []string }

func (d *drops) Dropped(drop observe.Drop) { d.reasons = append(d.reasons, drop.Reason) }

// panics is an observer that panics.
type panics struct{}

func (panics) Dropped(observe.Drop) { panic("Dropped") }

func TestWithObserver(t *testing.T) {
	t.Parallel()
	span := spanContext(t)
	hostile := withTracestate(t, withBaggage(t, span, "it's=1"), "a=$(id)")
	large := withTracestate(t, span, "a="+strings.Repeat("v", 200))
	for name, test := range map[string]struct {
		ctx  context.Context //nolint:containedctx // a row of a table.
		opts []jobcarrier.Option
		own  string
		want []string
	}{
		"nothing is left out":      {ctx: withTracestate(t, span, "a=1")},
		"values that are not safe": {ctx: hostile, want: []string{observe.DropUnsafe, observe.DropUnsafe}},
		"over the budget":          {ctx: large, opts: []jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithMaxBytes(100))}, want: []string{observe.DropTooLarge}},
		"over that of a value":     {ctx: withTracestate(t, span, "a="+strings.Repeat("v", 64)), opts: []jobcarrier.Option{jobcarrier.Dagster()}, want: []string{observe.DropTooLarge}},
		"over it when encoded":     {ctx: large, opts: []jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithMaxBytes(0), propagation.WithPropagator(pair("a="+strings.Repeat("'", 30<<10))))}, want: []string{observe.DropTooLarge, observe.DropTooLarge}},
		"over that of a service":   {ctx: large, opts: []jobcarrier.Option{jobcarrier.Databricks()}, own: strings.Repeat("v", 9800), want: []string{observe.DropTooLarge}},
		"no span":                  {ctx: t.Context()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inject := func(observer observe.DropObserver) (map[string]string, []string) {
				opts := append([]jobcarrier.Option{
					jobcarrier.WithPropagation(propagation.WithPropagator(w3c), propagation.WithBaggage("it's")), jobcarrier.WithObserver(observer),
				}, test.opts...)
				params, err := jobcarrier.Inject(test.ctx, map[string]string{"own": test.own}, opts...)
				if err != nil {
					t.Error(err)
				}
				return params, jobcarrier.InjectArgs(test.ctx, []string{test.own}, opts...)
			}
			var observed drops
			params, args := inject(&observed)
			if want := slices.Concat(test.want, test.want); !slices.Equal(observed.reasons, want) { // of both.
				t.Errorf("reasons %q, want %q", observed.reasons, want)
			}
			for _, observer := range []observe.DropObserver{panics{}, nil} {
				if p, a := inject(observer); len(p) != len(params) || !slices.Equal(a, args) {
					t.Errorf("with the observer %T there are parameters %q and arguments %q", observer, p, a)
				}
			}
		})
	}
}
