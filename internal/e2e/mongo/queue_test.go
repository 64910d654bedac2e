// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/internal/e2e/server"
)

// start returns the server of the suite: the one that MONGODB_URI names, or one
// in this process.
func start(t *testing.T) *server.MongoServer {
	t.Helper()
	if os.Getenv("MONGODB_URI") != "" {
		return server.Mongo(t)
	}
	return server.FerretDB(t)
}

// newCollection returns an empty collection of the test's own.
func newCollection(t *testing.T, m *server.MongoServer) *mongo.Collection {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(m.URI()))
	if err != nil {
		t.Fatal(err)
	}
	database := client.Database(fmt.Sprintf("waybill_%d", time.Now().UnixNano()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = database.Drop(ctx)
		_ = client.Disconnect(ctx)
	})
	return database.Collection("orders")
}

// recorded returns a provider of spans and what it has recorded.
func recorded(t *testing.T) (*sdktrace.TracerProvider, *tracetest.SpanRecorder) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return provider, recorder
}

func TestQueue(t *testing.T) {
	t.Parallel()
	testQueue(t, start(t), 300)
}

// testQueue has ten pollers claim n documents at once, two of which are killed
// in the middle of their work and started again. Each document must be handled
// as often as it was claimed, and each time in its producer's flow. The claim
// sets fields of the document and so must not touch the context. // Rule 34.
func testQueue(t *testing.T, m *server.MongoServer, n int) {
	t.Helper()
	provider, recorder := recorded(t)
	q := &queue{t: t, orders: newCollection(t, m), provider: provider, claims: map[int]int{}, handled: map[int]int{}}
	q.produce(n)

	var pollers sync.WaitGroup
	for i := range 10 {
		pollers.Go(func() {
			if i < 2 {
				q.pollAndDie(i, n/50)
			}
			q.poll(t.Context(), i, nil)
		})
	}
	pollers.Wait()
	q.check(recorder, n)
}

// queue is a collection that is used as one.
type queue struct {
	t        *testing.T
	orders   *mongo.Collection
	provider trace.TracerProvider

	mu       sync.Mutex
	producer []trace.SpanContext
	claims   map[int]int // how often a poller got the document.
	handled  map[int]int // how often the function was called for it.
	deaths   int
}

// produce inserts n documents, each in a trace of its own.
func (q *queue) produce(n int) {
	q.t.Helper()
	tracer := q.provider.Tracer("producer")
	docs := make([]any, n)
	for i := range docs {
		ctx, span := tracer.Start(q.t.Context(), "insert orders")
		docs[i] = mongocarrier.InjectD(ctx, bson.D{{Key: "_id", Value: i}, {Key: "state", Value: "new"}, {Key: "attempts", Value: 0}})
		q.producer = append(q.producer, span.SpanContext())
		span.End()
	}
	if _, err := q.orders.InsertMany(q.t.Context(), docs); err != nil {
		q.t.Fatal(err)
	}
}

var errKilled = errors.New("killed")

// pollAndDie polls until it is killed while it holds a document.
func (q *queue) pollAndDie(worker, after int) {
	ctx, kill := context.WithCancelCause(q.t.Context())
	defer kill(nil)
	left := after
	q.poll(ctx, worker, func() {
		if left--; left < 0 {
			kill(errKilled)
		}
	})
	q.mu.Lock()
	defer q.mu.Unlock()
	if context.Cause(ctx) == errKilled {
		q.deaths++
	}
}

// poll gives back what the worker held when it died, then handles documents
// until there are none or ctx ends.
func (q *queue) poll(ctx context.Context, worker int, working func()) {
	mine := bson.D{{Key: "state", Value: "taken"}, {Key: "worker", Value: worker}}
	giveBack := bson.D{{Key: "$set", Value: bson.D{{Key: "state", Value: "new"}}}}
	if _, err := q.orders.UpdateMany(ctx, mine, giveBack); err != nil {
		q.t.Error(err)
	}
	for ctx.Err() == nil {
		raw, err := q.claim(ctx, worker)
		switch {
		case errors.Is(err, mongo.ErrNoDocuments), ctx.Err() != nil:
			return
		case err != nil:
			q.t.Error(err)
			return
		}
		id, attempt := int(raw.Lookup("_id").AsInt64()), int(raw.Lookup("attempts").AsInt64())
		err = mongocarrier.Process(ctx, mongocarrier.ReadRaw(raw), func(ctx context.Context) error {
			q.count(q.handled, id)
			if working != nil {
				working()
			}
			_, err := q.orders.UpdateByID(ctx, id, bson.D{{Key: "$set", Value: bson.D{{Key: "state", Value: "done"}}}})
			return err
		}, mongocarrier.WithTracerProvider(q.provider), mongocarrier.WithCollection(fmt.Sprint(id)), mongocarrier.WithAttempt(attempt))
		if err != nil && ctx.Err() == nil {
			q.t.Error(err)
		}
	}
}

func (q *queue) claim(ctx context.Context, worker int) (bson.Raw, error) {
	update := bson.D{
		{Key: "$set", Value: bson.D{{Key: "state", Value: "taken"}, {Key: "worker", Value: worker}}},
		{Key: "$inc", Value: bson.D{{Key: "attempts", Value: 1}}},
	}
	after := options.FindOneAndUpdate().SetReturnDocument(options.After)
	raw, err := q.orders.FindOneAndUpdate(ctx, bson.D{{Key: "state", Value: "new"}}, update, after).Raw()
	if err == nil {
		q.count(q.claims, int(raw.Lookup("_id").AsInt64()))
	}
	return raw, err
}

func (q *queue) count(in map[int]int, id int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	in[id]++
}

func (q *queue) check(recorder *tracetest.SpanRecorder, n int) {
	q.t.Helper()
	if q.deaths != 2 {
		q.t.Errorf("%d pollers died while they held a document, want 2", q.deaths)
	}
	spans := map[string][]sdktrace.ReadOnlySpan{}
	for _, s := range recorder.Ended() {
		spans[s.Name()] = append(spans[s.Name()], s)
	}
	for id := range n {
		processed := spans[fmt.Sprint("process ", id)]
		if q.claims[id] == 0 || q.handled[id] != q.claims[id] || len(processed) != q.claims[id] {
			q.t.Errorf("document %d was claimed %d times, handled %d times, in %d spans", id, q.claims[id], q.handled[id], len(processed))
		}
		for _, s := range processed {
			q.checkFlow(id, s)
		}
	}
	if left, err := q.orders.CountDocuments(q.t.Context(), bson.D{{Key: "state", Value: bson.D{{Key: "$ne", Value: "done"}}}}); err != nil || left != 0 {
		q.t.Errorf("%d documents are left, %v", left, err)
	}
}

// checkFlow checks that s, which handled a document, is in the flow of the one
// who made it: by a link, and at the first attempt as its child.
func (q *queue) checkFlow(id int, s sdktrace.ReadOnlySpan) {
	q.t.Helper()
	links := s.Links()
	if len(links) != 1 || links[0].SpanContext.SpanID() != q.producer[id].SpanID() {
		q.t.Errorf("document %d is linked to %v", id, links)
	}
	first := true
	for _, a := range s.Attributes() {
		if a.Key == "messaging.mongodb.document.attempt" {
			first = a.Value.AsInt64() == 1
		}
	}
	if child := s.Parent().SpanID() == q.producer[id].SpanID(); child != first {
		q.t.Errorf("document %d: first attempt %v, child of the producer %v", id, first, child)
	}
}
