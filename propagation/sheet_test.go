// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/internal/sheet"
	"github.com/waybill-go/waybill/propagation"
)

// onSheet is the accessor of a carrier that is a sheet; what is set or deleted
// otherwise goes to calls.
type onSheet struct{ calls map[string]string }

func (a onSheet) Set(_ *sheet.Sheet, key, value string) { a.calls[key] = value }
func (a onSheet) Delete(_ *sheet.Sheet, key string)     { a.calls[key] = "" }
func (onSheet) Sheet(s *sheet.Sheet) *sheet.Sheet       { return s }

func TestSheetHoldsWhatAMapWouldGet(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]propagation.Option{
		"all":             {defaults},
		"W3C":             {propagation.WithPropagator(propagation.TraceContext{})},
		"without baggage": {defaults, propagation.WithoutBaggage()},
		"little room":     {defaults, propagation.WithMaxBytes(70)},
		"no room":         {defaults, propagation.WithMaxBytes(1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // Both leave at one time.
				s, calls := &sheet.Sheet{}, map[string]string{}
				propagation.Inject(full(t), s, propagation.Setter[*sheet.Sheet](onSheet{calls}), opts...)
				got := map[string]string{}
				for key, value := range map[string]string{
					"traceparent": string(s.Fixed[:s.Traceparent]),
					"waybill":     string(s.Fixed[s.Traceparent:][:s.Waybill]),
					"tracestate":  s.Tracestate,
					"baggage":     s.Baggage,
				} {
					if value != "" {
						got[key] = value
					}
				}
				if diff := cmp.Diff(propagation.Map(full(t), opts...), got); diff != "" {
					t.Error(diff)
				}
				if s.Cleared == nil || len(calls) != 0 {
					t.Errorf("it clears %v, and %v was called for", s.Cleared, calls)
				}
			})
		})
	}
}

func TestSheetIsForTheFormatsOfThisPackage(t *testing.T) {
	t.Parallel()
	s, calls := &sheet.Sheet{}, map[string]string{}
	propagation.Inject(full(t), s, propagation.Setter[*sheet.Sheet](onSheet{calls}), propagation.WithPropagator(opaque{propagation.TraceContext{}}))
	if s.Cleared != nil || calls["traceparent"] == "" {
		t.Errorf("the sheet clears %v, and the carrier holds %v", s.Cleared, calls)
	}
}
