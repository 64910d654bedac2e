// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command mongo writes a trace context to a MongoDB document when it is inserted,
// and continues the trace when the document is found. The server runs in the
// same process.
package main

import (
	"context"
	"fmt"
	"log"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/examples/internal/local"
)

func main() {
	otel.SetTracerProvider(sdktrace.NewTracerProvider())
	uri, stop, err := local.StartMongo()
	if err != nil {
		log.Fatal(err)
	}
	err = run(context.Background(), uri)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, uri string) error {
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	defer client.Disconnect(ctx)
	quakes := client.Database("example").Collection("quakes")

	loadCtx, load := otel.Tracer("mongo").Start(ctx, "load")
	defer load.End()
	document := mongocarrier.InjectD(loadCtx, bson.D{{Key: "_id", Value: 1}, {Key: "region", Value: "Taiwan"}})
	if _, err = quakes.InsertOne(loadCtx, document); err != nil {
		return err
	}

	found, err := quakes.FindOne(ctx, bson.D{{Key: "_id", Value: 1}}).Raw()
	if err != nil {
		return err
	}
	text, err := bson.MarshalExtJSON(found, false, false)
	if err != nil {
		return err
	}
	fmt.Println(string(text))
	consumer := mongocarrier.NewConsumer("quakes")
	return consumer.Process(ctx, mongocarrier.ReadRaw(found), func(ctx context.Context) error {
		span := trace.SpanContextFromContext(ctx)
		fmt.Println("one trace:", span.TraceID() == load.SpanContext().TraceID())
		return nil
	})
}
