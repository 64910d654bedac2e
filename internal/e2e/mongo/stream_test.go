// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package mongo_test

import (
	"context"
	"iter"
	"strings"
	"testing"
	"time"

	bson1 "go.mongodb.org/mongo-driver/bson"
	mongo1 "go.mongodb.org/mongo-driver/mongo"
	options1 "go.mongodb.org/mongo-driver/mongo/options"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/internal/e2e/server"
	"github.com/waybill-go/waybill/propagation"
)

// The server claims in one step.
func TestProcess_QueueOfARealServer(t *testing.T) {
	t.Parallel()
	testQueue(t, server.Mongo(t), 1, unlocked{})
}

// watched is a collection that somebody reads the changes of, with both
// drivers.
type watched struct {
	collection
	ctx     context.Context //nolint:containedctx // that of the test.
	streams map[string]*feed
}

// feed is a change stream of either driver.
type feed struct {
	next func() (event bson.Raw, ctx context.Context, ok bool)
	err  func() error
}

func watch(t *testing.T) watched {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	w := watched{collection: newCollection(t, server.Mongo(t)), ctx: ctx, streams: map[string]*feed{}}

	v1, err := w.v1.Watch(ctx, mongo1.Pipeline{}, options1.ChangeStream().SetFullDocument(options1.UpdateLookup))
	if err != nil {
		t.Fatal(err)
	}
	w.streams["v1"] = newFeed(t, mongocarrier.ChangeEvents(ctx, v1, func() bson.Raw { return bson.Raw(v1.Current) }), v1.Err)

	v2, err := w.Watch(ctx, mongo.Pipeline{}, options.ChangeStream().SetFullDocument(options.UpdateLookup))
	if err != nil {
		t.Fatal(err)
	}
	w.streams["v2"] = newFeed(t, mongocarrier.ChangeEvents(ctx, v2, func() bson.Raw { return v2.Current }), v2.Err)
	return w
}

func newFeed(t *testing.T, events iter.Seq2[context.Context, bson.Raw], err func() error) *feed {
	t.Helper()
	next, stop := iter.Pull2(events)
	t.Cleanup(stop)
	return &feed{
		next: func() (bson.Raw, context.Context, bool) { ctx, event, ok := next(); return event, ctx, ok },
		err:  err,
	}
}

// change is what one event told.
type change struct {
	operation string
	remote    propagation.Remote
	source    mongocarrier.ContextSource
	only      bool // whether it changed nothing but the context.
	described bool // whether it says which fields have changed: mongo-java-server does not.
}

// each calls check with the next event of each stream, and the ctx that the
// iterator gave with it.
func (w watched) each(t *testing.T, check func(driver string, c change, ctx context.Context)) {
	t.Helper()
	for driver, stream := range w.streams {
		event, ctx, ok := stream.next()
		if !ok {
			t.Fatalf("%s: no event: %v", driver, stream.err())
		}
		c := change{operation: event.Lookup("operationType").StringValue(), only: mongocarrier.IsOnlyContext(event)}
		c.remote, c.source = mongocarrier.ReadChangeEvent(event)
		_, err := event.LookupErr("updateDescription")
		c.described = err == nil
		check(driver, c, ctx)
	}
}

func TestReadChangeEvent_ChangeStream(t *testing.T) {
	t.Parallel()
	w := watch(t)
	creator := spanCtx(t, traceparentA)
	writer := spanCtx(t, traceparentB)
	set := func(fields map[string]any) func() error {
		return func() error {
			_, err := w.UpdateByID(w.ctx, 1, bson.D{{Key: "$set", Value: fields}})
			return err
		}
	}
	_, last := mongocarrier.SetFields(writer, mongocarrier.ModeLastWriter)
	_, both := mongocarrier.SetFields(writer, mongocarrier.ModeBoth)
	for _, c := range []struct {
		what      string
		do        func() error
		operation string
		trace     string
		source    mongocarrier.ContextSource
		only      bool
	}{
		{"insert", func() error {
			_, err := w.InsertOne(w.ctx, mongocarrier.InjectD(creator, bson.D{{Key: "_id", Value: 1}, {Key: "n", Value: 1}}))
			return err
		}, "insert", traceparentA, mongocarrier.ContextSourceWritten, false},
		{"an update without a context", set(bson.M{"n": 2}), "update", traceparentA, mongocarrier.ContextSourceCreation, false},
		{"an update of the last writer", set(both), "update", traceparentB, mongocarrier.ContextSourceWritten, true},
		{"an update of the context", set(last), "update", traceparentB, mongocarrier.ContextSourceWritten, true},
		{"replace", func() error {
			doc := mongocarrier.InjectM(creator, bson.M{"_id": 1, "n": 3})
			_, err := w.ReplaceOne(w.ctx, bson.D{{Key: "_id", Value: 1}}, doc)
			return err
		}, "replace", traceparentA, mongocarrier.ContextSourceWritten, false},
		{"replace without a context", func() error {
			_, err := w.v1.ReplaceOne(w.ctx, bson1.D{{Key: "_id", Value: 1}}, bson1.D{{Key: "n", Value: 4}})
			return err
		}, "replace", "", mongocarrier.ContextSourceNone, false},
		{"delete", func() error {
			_, err := w.DeleteOne(w.ctx, bson.D{{Key: "_id", Value: 1}})
			return err
		}, "delete", "", mongocarrier.ContextSourceNone, false},
	} {
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		w.each(t, func(driver string, got change, ctx context.Context) {
			if isWritten := trace.SpanContextFromContext(ctx).IsValid(); isWritten != (got.source == mongocarrier.ContextSourceWritten) {
				t.Errorf("%s, by %s: the iterator's ctx has a span: %t", c.what, driver, isWritten)
			}
			if got.operation == "update" && !got.described {
				if got.source == mongocarrier.ContextSourceWritten || got.only {
					t.Errorf("%s, by %s: a change that is not described is read as %+v", c.what, driver, got)
				}
				return
			}
			found := ""
			if got.remote.Err() == nil {
				found = traceID(got.remote)
			}
			if got.operation != c.operation || !strings.Contains(c.trace, found) || got.source != c.source || got.only != c.only {
				t.Errorf("%s, by %s: %+v", c.what, driver, got)
			}
		})
	}
}

// A service that reads the changes and writes back goes on
// with the flow of the one who made the change, and skips its own marks.
func TestIsOnlyContext_ServiceThatWritesBack(t *testing.T) {
	t.Parallel()
	w := watch(t)
	f := flowtest.New(t)
	shop := f.Service("shop")
	consumer := mongocarrier.NewConsumer("orders", mongocarrier.WithTracerProvider(f.Service("worker")))
	ctx, span := shop.Tracer("shop").Start(w.ctx, "place order")
	if _, err := w.InsertOne(ctx, mongocarrier.InjectD(ctx, bson.D{{Key: "_id", Value: 1}})); err != nil {
		t.Fatal(err)
	}
	span.End()
	w.each(t, func(driver string, c change, _ context.Context) {
		err := consumer.Process(w.ctx, c.remote, func(ctx context.Context) error {
			_, mark := mongocarrier.SetFields(ctx, mongocarrier.ModeBoth)
			_, err := w.UpdateByID(ctx, 1, bson.D{{Key: "$set", Value: mark}})
			return err
		}, mongocarrier.WithContextSource(c.source))
		if err != nil {
			t.Errorf("%s: %v", driver, err)
		}
	})
	for range 2 { // one for each that wrote back.
		w.each(t, func(driver string, c change, _ context.Context) {
			if c.described && (!c.only || c.source != mongocarrier.ContextSourceWritten) {
				t.Errorf("%s: the mark is %+v", driver, c)
			}
		})
	}
	fl := f.Wait(5 * time.Second)
	fl.RequireOneTrace()
	fl.RequirePath("shop place order", "worker process orders")
}
