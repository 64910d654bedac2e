// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongo_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"testing"

	bson1 "go.mongodb.org/mongo-driver/bson"
	mongo1 "go.mongodb.org/mongo-driver/mongo"
	options1 "go.mongodb.org/mongo-driver/mongo/options"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/internal/e2e/server"
	"github.com/waybill-go/waybill/propagation"
)

const (
	pollers = 10
	deaths  = 2 // the pollers that are killed while they hold a document, and started again.
)

func TestProcess_Queue(t *testing.T) {
	t.Parallel()
	m := start(t)
	if os.Getenv("MONGODB_URI") != "" {
		testQueue(t, m, 1, unlocked{})
		return
	}
	// FerretDB finds and modifies in two steps, and reads a whole collection for
	// each; so one poller writes at a time, and collections are small.
	testQueue(t, m, documents/200, &sync.Mutex{})
}

// testQueue has ten pollers of both drivers claim all documents of some
// collections at once. Each document must be handled as often as without the library, which is
// once, and once more if its poller died; and each time in the flow of the one
// who made it. The claim sets fields of the document, and must not touch the
// context.
func testQueue(t *testing.T, m *server.MongoServer, collections int, writing sync.Locker) {
	t.Helper()
	plain := &queue{t: t, orders: newCollections(t, m, collections), writing: writing, process: withoutTheLibrary}
	plain.run(t.Context(), noop.NewTracerProvider().Tracer("producer"))
	plain.checkTimes()

	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	q := &queue{t: t, orders: newCollections(t, m, collections), writing: writing, process: withTheLibrary(provider)}
	q.run(t.Context(), provider.Tracer("producer"))
	q.checkTimes()
	q.checkFlows(recorder.Ended())
}

// queue is some collections that are used as one: what is done is deleted.
type queue struct {
	t       *testing.T
	orders  []collection // document i is in the one at i modulo their number.
	writing sync.Locker
	process func(ctx context.Context, doc bson.Raw, fn func(context.Context) error) error

	producers []trace.SpanContext // by document.

	mu      sync.Mutex
	claimed []int // how often a poller got the document.
	handled []int // how often the work on it began.
	dead    int
}

func withoutTheLibrary(ctx context.Context, _ bson.Raw, fn func(context.Context) error) error {
	return fn(ctx)
}

// idKey is the attribute by which the spans of a document are found.
const idKey = attribute.Key("test.document.id")

func withTheLibrary(provider trace.TracerProvider) func(context.Context, bson.Raw, func(context.Context) error) error {
	consumer := mongocarrier.NewConsumer("orders", mongocarrier.WithTracerProvider(provider))
	return func(ctx context.Context, doc bson.Raw, fn func(context.Context) error) error {
		number := trace.WithAttributes(idKey.Int(numberOf(doc)))
		remote := mongocarrier.ReadRaw(doc)
		return consumer.Process(ctx, remote, fn,
			mongocarrier.WithAttempt(int(doc.Lookup("attempts").AsInt64())),
			mongocarrier.WithStartOptions(propagation.WithSpanOptions(number)))
	}
}

func numberOf(doc bson.Raw) int {
	n, _ := strconv.Atoi(doc.Lookup("_id").StringValue())
	return n
}

// run inserts the documents and has pollers handle them all.
func (q *queue) run(ctx context.Context, tracer trace.Tracer) {
	q.t.Helper()
	q.claimed, q.handled = make([]int, documents), make([]int, documents)
	q.insert(ctx, tracer)
	var all sync.WaitGroup
	for worker := range pollers {
		all.Go(func() {
			if worker < deaths {
				q.pollUntilKilled(ctx, worker)
				q.giveBack(ctx, worker)
			}
			q.poll(ctx, worker, func() {})
		})
	}
	all.Wait()
}

// insert inserts the documents, each in a trace of its own, half of them with
// each driver.
func (q *queue) insert(ctx context.Context, tracer trace.Tracer) {
	q.t.Helper()
	v1, v2 := make([][]any, len(q.orders)), make([][]any, len(q.orders))
	for i := range documents {
		made, span := tracer.Start(ctx, "insert orders")
		q.producers = append(q.producers, span.SpanContext())
		id, at := strconv.Itoa(i), i%len(q.orders)
		if i/len(q.orders)%2 == 0 {
			v1[at] = append(v1[at], mongocarrier.InjectD(made, bson1.D{{Key: "_id", Value: id}, {Key: "state", Value: "new"}, {Key: "attempts", Value: 0}}))
		} else {
			v2[at] = append(v2[at], mongocarrier.InjectM(made, bson.M{"_id": id, "state": "new", "attempts": 0}))
		}
		span.End()
	}
	for at, orders := range q.orders {
		if _, err := orders.v1.InsertMany(ctx, v1[at]); err != nil {
			q.t.Fatal(err)
		}
		if _, err := orders.InsertMany(ctx, v2[at]); err != nil {
			q.t.Fatal(err)
		}
	}
}

var errKilled = errors.New("killed")

// pollUntilKilled polls for a while and dies while it holds a document.
func (q *queue) pollUntilKilled(ctx context.Context, worker int) {
	ctx, kill := context.WithCancelCause(ctx)
	defer kill(nil)
	left := documents / pollers / 5
	q.poll(ctx, worker, func() {
		if left--; left == 0 {
			kill(errKilled)
		}
	})
	if context.Cause(ctx) == errKilled {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.dead++
	}
}

// giveBack is what a poller does first that is started again.
func (q *queue) giveBack(ctx context.Context, worker int) {
	q.writing.Lock()
	defer q.writing.Unlock()
	mine := bson.D{{Key: "state", Value: "taken"}, {Key: "worker", Value: worker}}
	update := bson.D{{Key: "$set", Value: bson.D{{Key: "state", Value: "new"}}}}
	var given int64
	for _, orders := range q.orders {
		result, err := orders.UpdateMany(ctx, mine, update)
		if err != nil {
			q.t.Error(err)
			return
		}
		given += result.ModifiedCount
	}
	if given != 1 {
		q.t.Errorf("worker %d gave back %d documents", worker, given)
	}
}

// poll handles documents until there are none, or ctx ends.
func (q *queue) poll(ctx context.Context, worker int, working func()) {
	for _, orders := range q.orders {
		claim := orders.claimV2
		if worker%2 == 0 {
			claim = orders.claimV1
		}
		for ctx.Err() == nil {
			q.writing.Lock()
			doc, err := claim(ctx, worker)
			q.writing.Unlock()
			if errors.Is(err, mongo.ErrNoDocuments) || errors.Is(err, mongo1.ErrNoDocuments) {
				break
			}
			if err != nil {
				q.t.Error(err)
				return
			}
			q.count(q.claimed, doc)
			if err := q.handle(ctx, orders, doc, working); err != nil && context.Cause(ctx) != errKilled {
				q.t.Error(err)
			}
		}
	}
}

func (q *queue) handle(ctx context.Context, orders collection, doc bson.Raw, working func()) error {
	return q.process(ctx, doc, func(ctx context.Context) error {
		q.count(q.handled, doc)
		working()
		q.writing.Lock()
		defer q.writing.Unlock()
		_, err := orders.DeleteOne(ctx, bson.D{{Key: "_id", Value: doc.Lookup("_id")}})
		return err
	})
}

// claimV1 claims a document with driver v1.
func (c collection) claimV1(ctx context.Context, worker int) (bson.Raw, error) {
	update := bson1.D{
		{Key: "$set", Value: bson1.D{{Key: "state", Value: "taken"}, {Key: "worker", Value: worker}}},
		{Key: "$inc", Value: bson1.D{{Key: "attempts", Value: 1}}},
	}
	after := options1.FindOneAndUpdate().SetReturnDocument(options1.After)
	doc, err := c.v1.FindOneAndUpdate(ctx, bson1.D{{Key: "state", Value: "new"}}, update, after).Raw()
	return bson.Raw(doc), err
}

// claimV2 claims a document with driver v2.
func (c collection) claimV2(ctx context.Context, worker int) (bson.Raw, error) {
	update := bson.D{
		{Key: "$set", Value: bson.D{{Key: "state", Value: "taken"}, {Key: "worker", Value: worker}}},
		{Key: "$inc", Value: bson.D{{Key: "attempts", Value: 1}}},
	}
	after := options.FindOneAndUpdate().SetReturnDocument(options.After)
	return c.FindOneAndUpdate(ctx, bson.D{{Key: "state", Value: "new"}}, update, after).Raw()
}

func (q *queue) count(times []int, doc bson.Raw) {
	q.mu.Lock()
	defer q.mu.Unlock()
	times[numberOf(doc)]++
}

// checkTimes checks how often each document was handled.
func (q *queue) checkTimes() {
	q.t.Helper()
	total := 0
	for i, times := range q.handled {
		if times == 0 || times != q.claimed[i] {
			q.t.Errorf("document %d was claimed %d times and handled %d times", i, q.claimed[i], times)
		}
		total += times
	}
	if q.dead != deaths || total != documents+deaths {
		q.t.Errorf("%d documents were handled %d times, while %d pollers died", documents, total, q.dead)
	}
	for _, orders := range q.orders {
		if left, err := orders.CountDocuments(q.t.Context(), bson.D{}); err != nil || left != 0 {
			q.t.Errorf("%d documents are left, %v", left, err)
		}
	}
}

// checkFlows checks that each time a document was handled was in the flow of
// the one who made it: by a link, and the first time as its child.
func (q *queue) checkFlows(spans []sdktrace.ReadOnlySpan) {
	q.t.Helper()
	times := make([]int, documents)
	for _, s := range spans {
		if s.Name() != "process orders" {
			continue
		}
		attributes := attribute.NewSet(s.Attributes()...)
		id, _ := attributes.Value(idKey)
		attempt, _ := attributes.Value("waybill.document.attempt")
		producer := q.producers[id.AsInt64()]
		times[id.AsInt64()]++
		if links := s.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != producer.SpanID() {
			q.t.Errorf("document %d is linked to %v", id.AsInt64(), links)
		}
		isChild := s.Parent().SpanID() == producer.SpanID() && s.SpanContext().TraceID() == producer.TraceID()
		if isFirst := attempt.AsInt64() == 1; isChild != isFirst {
			q.t.Errorf("document %d: attempt %d, child of the producer: %t", id.AsInt64(), attempt.AsInt64(), isChild)
		}
	}
	for i, n := range times {
		if n != q.handled[i] {
			q.t.Errorf("document %d has %d spans and was handled %d times", i, n, q.handled[i])
		}
	}
}

// unlocked is for a server that claims a document in one step.
type unlocked struct{}

func (unlocked) Lock()   {}
func (unlocked) Unlock() {}
