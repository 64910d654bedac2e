// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command outbox carries the trace context from an outbox in MongoDB to Kafka:
// the shop writes an order with its context, the relay claims it and sends it
// on in a span of its own, and the warehouse reads it, all in one trace. Both
// servers run inside of it.
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
	writer := kafkacarrier.NewWriter(&kafka.Writer{Addr: kafka.TCP(addr), Topic: topic, BatchSize: 1})
	defer writer.Close()
	reader := kafkacarrier.NewReader(kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, Topic: topic, MaxWait: time.Second}))
	defer reader.Close()

	if err := order(ctx, outbox); err != nil {
		return err
	}
	if err := relay(ctx, outbox, writer); err != nil {
		return err
	}
	return ship(ctx, reader)
}

// order writes to the outbox, in the transaction that changes the data too.
func order(ctx context.Context, outbox *mongo.Collection) error {
	ctx, span := otel.Tracer("shop").Start(ctx, "place order")
	defer span.End()
	say(ctx, "shop")
	_, err := outbox.InsertOne(ctx, mongocarrier.InjectD(ctx, bson.D{{Key: "item", Value: "tea"}, {Key: "state", Value: "new"}}))
	if err != nil {
		span.SetStatus(codes.Error, "insert")
	}
	return err
}

// relay claims a document and sends it on. The span of Process is between that
// of the shop and the message, and the document keeps the context of the shop.
func relay(ctx context.Context, outbox *mongo.Collection, writer *kafkacarrier.Writer) error {
	claimed, err := outbox.FindOneAndUpdate(ctx, state("new"), bson.D{{Key: "$set", Value: state("taken")}}).Raw()
	if err != nil {
		return err
	}
	consumer := mongocarrier.NewConsumer("outbox")
	return consumer.Process(ctx, mongocarrier.ReadRaw(claimed), func(ctx context.Context) error {
		say(ctx, "relay")
		if err := writer.WriteMessages(ctx, kafka.Message{Value: mongocarrier.StripRaw(claimed)}); err != nil {
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
		fmt.Println(bson.Raw(msg.Value).Lookup("item"), "has come over", propagation.WaybillFromContext(ctx).Hops, "hops")
		return nil
	})
}

// first is the trace that the flow started in.
var first trace.TraceID

// say prints whether a service works in the trace of the first one.
func say(ctx context.Context, service string) {
	id := trace.SpanContextFromContext(ctx).TraceID()
	if !first.IsValid() {
		first = id
	}
	fmt.Printf("%-9s same trace: %t\n", service, id == first)
}
