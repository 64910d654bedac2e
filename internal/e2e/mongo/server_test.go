// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongo_test

import (
	"testing"

	bson1 "go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
)

// One driver writes, the other reads.
func TestInject_DriversThroughAServer(t *testing.T) {
	t.Parallel()
	orders := newCollection(t, start(t))
	orders1 := orders.v1

	ctx := spanCtx(t, traceparentA)
	shared := mongocarrier.WithCaptured(mongocarrier.Capture(ctx))
	if _, err := orders1.InsertMany(ctx, []any{
		mongocarrier.InjectD(ctx, bson1.D{{Key: "_id", Value: "v1 D"}}, shared),
		mongocarrier.InjectM(ctx, bson1.M{"_id": "v1 M"}, shared),
		order{ID: "v1 struct", Trace: mongocarrier.Capture(ctx)},
	}); err != nil {
		t.Fatal(err)
	}
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "v2 Raw"}})
	if err != nil {
		t.Fatal(err)
	}
	injected, err := mongocarrier.InjectRaw(ctx, bson.Raw(raw), shared)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = orders.InsertMany(ctx, []any{
		mongocarrier.InjectD(ctx, bson.D{{Key: "_id", Value: "v2 D"}}, shared),
		mongocarrier.InjectM(ctx, bson.M{"_id": "v2 M"}, shared),
		order{ID: "v2 struct", Trace: mongocarrier.Capture(ctx)},
		injected,
	}); err != nil {
		t.Fatal(err)
	}

	cursor, err := orders.Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ctx, doc := range mongocarrier.Documents(t.Context(), cursor, func() bson.Raw { return cursor.Current }) {
		check(t, "v2 reads "+doc.Lookup("_id").StringValue(), mongocarrier.Capture(ctx).Remote())
		n++
	}
	cursor1, err := orders1.Find(t.Context(), bson1.D{})
	if err != nil {
		t.Fatal(err)
	}
	for ctx, doc := range mongocarrier.Documents(t.Context(), cursor1, func() bson1.Raw { return cursor1.Current }) {
		check(t, "v1 reads "+doc.Lookup("_id").StringValue(), mongocarrier.Capture(ctx).Remote())
		n++
	}
	if cursor.Err() != nil || cursor1.Err() != nil || n != 14 {
		t.Errorf("%d documents, %v, %v", n, cursor.Err(), cursor1.Err())
	}
}

// The documents of a batch are one behind the other in one buffer, into
// which an inject must not write.
func TestInjectRaw_CopyFromACursorToACollection(t *testing.T) {
	t.Parallel()
	m := start(t)
	from, to := newCollection(t, m), newCollection(t, m)
	const n = 100
	docs := make([]any, n)
	for i := range docs {
		docs[i] = bson.D{{Key: "_id", Value: i}, {Key: "text", Value: "text"}}
	}
	if _, err := from.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	cursor, err := from.Find(t.Context(), bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		t.Fatal(err)
	}
	ctx := spanCtx(t, traceparentA)
	next := 0
	for cursor.Next(t.Context()) {
		doc, err := mongocarrier.InjectRaw(ctx, cursor.Current)
		if err != nil {
			t.Fatal(err)
		}
		if got := doc.Lookup("_id").AsInt64(); got != int64(next) {
			t.Fatalf("document %d follows %d", got, next-1)
		}
		if _, err := to.InsertOne(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
		next++
	}
	if err := cursor.Err(); err != nil || next != n {
		t.Errorf("%d documents, %v", next, err)
	}
}

// An upsert and an update write the two contexts.
func TestSetFields_ModesOnAServer(t *testing.T) {
	t.Parallel()
	orders := newCollection(t, start(t))
	upsert := func(traceparent string) {
		onInsert, set := mongocarrier.SetFields(spanCtx(t, traceparent), mongocarrier.ModeBoth)
		set["state"] = "new"
		update := bson.D{{Key: "$setOnInsert", Value: onInsert}, {Key: "$set", Value: set}}
		if _, err := orders.UpdateByID(t.Context(), 1, update, options.UpdateOne().SetUpsert(true)); err != nil {
			t.Fatal(err)
		}
	}
	read := func(opts ...mongocarrier.Option) string {
		raw, err := orders.FindOne(t.Context(), bson.D{}).Raw()
		if err != nil {
			t.Fatal(err)
		}
		return traceID(mongocarrier.ReadRaw(raw, opts...))
	}
	last := mongocarrier.WithField("_otel_last")
	upsert(traceparentA)
	if read() != traceparentA[3:35] || read(last) != traceparentA[3:35] {
		t.Errorf("made by %s, written by %s", read(), read(last))
	}
	upsert(traceparentB)
	if read() != traceparentA[3:35] || read(last) != traceparentB[3:35] {
		t.Errorf("made by %s, written by %s", read(), read(last))
	}
	// A replacement without an inject is one without a context.
	if _, err := orders.ReplaceOne(t.Context(), bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "state", Value: "replaced"}}); err != nil {
		t.Fatal(err)
	}
	raw, err := orders.FindOne(t.Context(), bson.D{}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	if mongocarrier.ReadRaw(raw).Err() == nil {
		t.Error("the replacement has a context")
	}
}

// The documents of a bulk write share what was captured, and
// the same write again writes the same.
func TestWithCaptured_BulkWrite(t *testing.T) {
	t.Parallel()
	orders := newCollection(t, start(t))
	captured := mongocarrier.WithCaptured(mongocarrier.Capture(spanCtx(t, traceparentA)))
	var first []bson.Raw
	for attempt := range 2 {
		models := make([]mongo.WriteModel, 10)
		for i := range models {
			doc := mongocarrier.InjectM(t.Context(), bson.M{"_id": i, "n": i}, captured)
			models[i] = mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: "_id", Value: i}}).SetReplacement(doc).SetUpsert(true)
		}
		if _, err := orders.BulkWrite(t.Context(), models); err != nil {
			t.Fatal(err)
		}
		cursor, err := orders.Find(t.Context(), bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
		if err != nil {
			t.Fatal(err)
		}
		var docs []bson.Raw
		if err := cursor.All(t.Context(), &docs); err != nil {
			t.Fatal(err)
		}
		for i, doc := range docs {
			check(t, "bulk", mongocarrier.ReadRaw(doc))
			if attempt > 0 && mongocarrier.Digest(doc) != mongocarrier.Digest(first[i]) {
				t.Errorf("document %d changed", i)
			}
			if attempt > 0 && doc.Lookup("_otel").String() != first[i].Lookup("_otel").String() {
				t.Errorf("document %d holds %s after %s", i, doc.Lookup("_otel"), first[i].Lookup("_otel"))
			}
		}
		first = docs
	}
	if len(first) != 10 {
		t.Errorf("%d documents", len(first))
	}
}

// Every server takes a string.
func TestComment_OfAnOperation(t *testing.T) {
	t.Parallel()
	orders := newCollection(t, start(t))
	ctx := spanCtx(t, traceparentA)
	cursor, err := orders.Find(ctx, bson.D{}, options.Find().SetComment(mongocarrier.Comment(ctx, "all orders")))
	if err != nil {
		t.Fatal(err)
	}
	if err := cursor.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
