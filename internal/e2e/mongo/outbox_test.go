// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongo_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/internal/e2e/server"
	"github.com/waybill-go/waybill/propagation"
)

// From a document of an outbox through a relay and Kafka to
// the service behind it, one flow. A relay that fails and tries again sends the
// context of the one who wrote again.
func TestProcess_OutboxToKafka(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	orders := newCollection(t, start(t))
	broker := server.FakeKafka(t)
	broker.CreateTopics(1, "orders")
	f := flowtest.New(t)
	shop, relay, shipping := f.Service("shop"), f.Service("relay"), f.Service("shipping")

	shopCtx, place := shop.Tracer("shop").Start(ctx, "place order")
	event := mongocarrier.InjectM(shopCtx, bson.M{"_id": "o-1", "state": "new", "attempts": 0, "total": 42})
	if _, err := orders.InsertOne(shopCtx, event); err != nil {
		t.Fatal(err)
	}
	place.End()

	w := kafkacarrier.NewWriter(&kafka.Writer{Addr: kafka.TCP(broker.Addr()), Topic: "orders", BatchSize: 1},
		kafkacarrier.WithTracerProvider(relay))
	defer w.Close() //nolint:errcheck // all is written.
	down := errors.New("the broker is down")
	for attempt := 1; attempt <= 2; attempt++ {
		relayed := relayOne(ctx, orders, relay, attempt, func(ctx context.Context, doc bson.Raw) error {
			if attempt == 1 {
				return down
			}
			return w.WriteMessages(ctx, kafka.Message{Value: mongocarrier.StripRaw(doc)})
		})
		if attempt == 1 && relayed != down || attempt == 2 && relayed != nil {
			t.Fatalf("attempt %d: %v", attempt, relayed)
		}
	}

	r := kafkacarrier.NewReader(kafka.NewReader(kafka.ReaderConfig{Brokers: []string{broker.Addr()}, Topic: "orders", MaxWait: 100 * time.Millisecond}),
		kafkacarrier.WithTracerProvider(shipping), kafkacarrier.WithoutCommitSpans())
	defer r.Close() //nolint:errcheck // all is read.
	msg, err := r.ReadMessage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !bson.Raw(msg.Value).Lookup("_otel").IsZero() {
		t.Error("the message has the field of the document")
	}
	err = r.Process(ctx, msg, func(ctx context.Context) error {
		if w := propagation.WaybillFromContext(ctx); w.Hops != 2 {
			t.Errorf("the data has come over %d hops, want 2", w.Hops)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}

	fl := f.Wait(5 * time.Second)
	fl.RequireConnected()
	fl.RequirePath("shop place order", "relay process orders", "relay send orders", "shipping process orders")
	doc, err := orders.FindOne(ctx, bson.D{}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	if got := mongocarrier.ReadRaw(doc).SpanContext().SpanID(); got != place.SpanContext().SpanID() {
		t.Errorf("the outbox holds the span %s, not that of the one who wrote", got)
	}
}

// relayOne claims a document and hands it to send.
func relayOne(
	ctx context.Context, orders collection, provider *flowtest.Service, attempt int, send func(context.Context, bson.Raw) error,
) error {
	update := bson.D{{Key: "$inc", Value: bson.D{{Key: "attempts", Value: 1}}}}
	before := options.FindOneAndUpdate().SetReturnDocument(options.Before) // what was written is in both.
	doc, err := orders.FindOneAndUpdate(ctx, bson.D{{Key: "state", Value: "new"}}, update, before).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil
	}
	if err != nil {
		return err
	}
	remote := mongocarrier.ReadRaw(doc)
	consumer := mongocarrier.NewConsumer("orders", mongocarrier.WithTracerProvider(provider))
	return consumer.Process(ctx, remote, func(ctx context.Context) error {
		if err := send(ctx, doc); err != nil {
			return err
		}
		_, err := orders.UpdateByID(ctx, doc.Lookup("_id"), bson.D{{Key: "$set", Value: bson.D{{Key: "state", Value: "sent"}}}})
		return err
	}, mongocarrier.WithAttempt(attempt))
}
