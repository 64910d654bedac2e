// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers/carriertest"
	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
)

func TestCarrier_Conformance(t *testing.T) {
	t.Parallel()
	nils := carriertest.WithNil(
		func() propagation.TextMapCarrier { return (*mongocarrier.Carrier)(nil) },
		func() propagation.TextMapCarrier { return &mongocarrier.Carrier{} },
		func() propagation.TextMapCarrier { return mongocarrier.NewD[D](nil) },
		func() propagation.TextMapCarrier { return mongocarrier.NewM(M(nil)) },
		func() propagation.TextMapCarrier { return mongocarrier.NewRaw[Raw](nil) },
	)
	for name, opts := range map[string][]mongocarrier.Option{
		"sub-document": nil,
		"nested":       {mongocarrier.WithField("meta.trace")},
		"flat":         {mongocarrier.WithForm(mongocarrier.FormFlat), mongocarrier.WithField("meta")},
		"properties":   {mongocarrier.WithForm(mongocarrier.FormProperties)},
	} {
		for _, s := range shapes() {
			t.Run(name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				doc := D{{"_id", 1}}
				carriertest.Run(t, func() propagation.TextMapCarrier { return s.carrier(t, doc, opts...) }, nils)
			})
		}
	}
}

func TestCarrier_WritesToTheDocument(t *testing.T) {
	t.Parallel()
	shared := append(make(D, 0, 8), order()...)
	doc, other := shared, shared
	c := mongocarrier.NewD(&doc)
	propagation.InjectTextMap(stateCtx(t, traceparentA, "v=1"), c, propagation.WithPropagator(propagation.TraceContext{}))
	want := append(slices.Clone(order()), E{"_otel", D{{"traceparent", traceparentA}, {"tracestate", "v=1"}}})
	if diff := cmp.Diff(want, plain(t, doc)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(order(), other); diff != "" || shared[:6][5] != (E{}) {
		t.Errorf("a document that shares its memory changed: %s", diff)
	}
	c.Delete("traceparent")
	c.Delete("tracestate")
	if diff := cmp.Diff(order(), doc); diff != "" {
		t.Errorf("an empty sub-document stays: %s", diff)
	}
	bad := Raw{1, 2}
	mongocarrier.NewRaw(&bad).Set("k", "v")
	if diff := cmp.Diff(Raw{1, 2}, bad); diff != "" {
		t.Error(diff)
	}
	blocked := M{"a": 1}
	mongocarrier.NewM(blocked, mongocarrier.WithField("a.b")).Set("k", "v")
	mongocarrier.NewM(blocked, mongocarrier.WithField("_id")).Set("k", "v")
	if diff := cmp.Diff(M{"a": 1}, blocked); diff != "" {
		t.Error(diff)
	}
}

func TestCarrier_GetsEveryKeyOfKeys(t *testing.T) {
	t.Parallel()
	eachShape(t, func(t *testing.T, s shape) {
		c := s.carrier(t, D{{"_otel", D{{"traceparent", traceparentA}, {"a%2Eb", "1"}, {"50%off", "2"}, {"%", "3"}, {"%24x", "4"}, {"n", 7}}}})
		keys := c.Keys()
		slices.Sort(keys)
		if diff := cmp.Diff([]string{"", "$x", "50%off", "a.b", "traceparent"}, keys); diff != "" {
			t.Error(diff)
		}
		for _, key := range keys {
			if c.Get(key) == "" {
				t.Errorf("no value under %q", key)
			}
		}
	})
}
