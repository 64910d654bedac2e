// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command outbox carries the trace context from an outbox in MongoDB to Kafka:
// the shop writes an order with its context, the relay claims it and sends it
// on in a span of its own, and the warehouse reads it, all in one trace. The
// relay may replace the context of the shop by its own, which is the default, or
// keep it. Both servers run inside of it.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/segmentio/kafka-go"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/examples/internal/local"
	"github.com/waybill-go/waybill/propagation"
)

const topic = "orders"

func main() {
	otel.SetTracerProvider(sdktrace.NewTracerProvider())
	uri, stopMongo, err := local.StartMongo()
	if err != nil {
		log.Fatal(err)
	}
	addr, stopKafka, err := local.StartKafka(topic)
	if err != nil {
		stopMongo()
		log.Fatal(err)
	}
	err = run(context.Background(), uri, addr)
	stopKafka()
	stopMongo()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, uri, addr string) error {
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	defer client.Disconnect(ctx)
	outbox := client.Database("shop").Collection("outbox")
	keep := propagation.WithPolicy(propagation.KeepExisting)
	replacing := kafkacarrier.NewWriter(&kafka.Writer{Addr: kafka.TCP(addr), Topic: topic, BatchSize: 1})
	defer replacing.Close()
	keeping := kafkacarrier.NewWriter(&kafka.Writer{Addr: kafka.TCP(addr), Topic: topic, BatchSize: 1}, kafkacarrier.WithPropagation(keep))
	defer keeping.Close()
	reader := kafkacarrier.NewReader(kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, Topic: topic, MaxWait: time.Second}))
	defer reader.Close()

	for _, o := range []struct {
		item   string
		writer *kafkacarrier.Writer
	}{{"tea", replacing}, {"coffee", keeping}} {
		first = trace.SpanContext{}
		if err := order(ctx, outbox, o.item); err != nil {
			return err
		}
		if err := relay(ctx, outbox, o.writer); err != nil {
			return err
		}
		if err := ship(ctx, reader); err != nil {
			return err
		}
	}
	return nil
}

// order writes to the outbox, in the transaction that changes the data too.
func order(ctx context.Context, outbox *mongo.Collection, item string) error {
	ctx, span := otel.Tracer("shop").Start(ctx, "place order")
	defer span.End()
	say(ctx, "shop")
	_, err := outbox.InsertOne(ctx, mongocarrier.InjectD(ctx, bson.D{{Key: "item", Value: item}, {Key: "state", Value: "new"}}))
	if err != nil {
		span.SetStatus(codes.Error, "insert")
	}
	return err
}

// relay claims a document and sends it on. The message has the context of the
// document, that of the shop. A Writer replaces it by that of its own span, which
// is between the shop and the warehouse then, unless it is told to keep it.
func relay(ctx context.Context, outbox *mongo.Collection, writer *kafkacarrier.Writer) error {
	claimed, err := outbox.FindOneAndUpdate(ctx, state("new"), bson.D{{Key: "$set", Value: state("taken")}}).Raw()
	if err != nil {
		return err
	}
	created := mongocarrier.ReadRaw(claimed)
	msg := kafka.Message{Value: mongocarrier.StripRaw(claimed)}
	kafkacarrier.Inject(created.Context(ctx), &msg)
	consumer := mongocarrier.NewConsumer("outbox")
	return consumer.Process(ctx, created, func(ctx context.Context) error {
		say(ctx, "relay")
		if err := writer.WriteMessages(ctx, msg); err != nil {
			return err
		}
		_, err := outbox.UpdateByID(ctx, claimed.Lookup("_id"), bson.D{{Key: "$set", Value: state("sent")}})
		return err
	})
}

func state(name string) bson.D { return bson.D{{Key: "state", Value: name}} }

func ship(ctx context.Context, reader *kafkacarrier.Reader) error {
	msg, err := reader.ReadMessage(ctx)
	if err != nil {
		return err
	}
	return reader.Process(ctx, msg, func(ctx context.Context) error {
		say(ctx, "warehouse")
		creator := "relay"
		if kafkacarrier.Read(msg).SpanContext().SpanID() == first.SpanID() {
			creator = "shop"
		}
		fmt.Println(bson.Raw(msg.Value).Lookup("item"), "has come over", propagation.WaybillFromContext(ctx).Hops, "hops from the", creator)
		return nil
	})
}

// first is the span that the flow started in.
var first trace.SpanContext

// say prints whether a service works in the trace of the first one.
func say(ctx context.Context, service string) {
	sc := trace.SpanContextFromContext(ctx)
	if !first.IsValid() {
		first = sc
	}
	fmt.Printf("%-9s same trace: %t\n", service, sc.TraceID() == first.TraceID())
}
