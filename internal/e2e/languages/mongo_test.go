// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package languages_test

import (
	"context"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/internal/e2e/server"
)

// A document carries the context from a program in one language to one in another.
func TestFlow_Document(t *testing.T) {
	t.Parallel()
	m := server.FerretDB(t)
	for _, tt := range []struct {
		name, from string
		field      string
	}{
		{name: "pymongo", from: "python", field: "_otel"}, // With the propagator of OpenTelemetry.
		{name: "pymongo-receiver", from: "python", field: "context"},
		{name: "mongocarrier-to-pymongo", from: "go", field: "_otel"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCollector(t)
			s := &site{collector: c}
			python := func(what, service string) {
				env := append(s.env(service, ""), "MONGODB_URI="+m.URI(), "PYTHONPATH="+absolute(t, "../../../python"), "PYTHONDONTWRITEBYTECODE=1")
				peer(t, "python").run(t, env, what, tt.name, "orders", tt.field)
			}
			inGo := func(service string, do func(*goPeer, context.Context, *mongo.Collection, string) error) {
				p := newGoPeer(c.exporter(t), "", service)
				defer p.close(t.Context(), t)
				client, err := mongo.Connect(options.Client().ApplyURI(m.URI()))
				if err != nil {
					t.Fatal(err)
				}
				defer client.Disconnect(t.Context()) //nolint:errcheck // nothing is left to lose.
				if err = do(p, t.Context(), client.Database(tt.name).Collection("orders"), tt.field); err != nil {
					t.Fatal(err)
				}
			}
			if tt.from == "go" {
				inGo("go-1", (*goPeer).insertDocument)
				python("handle", "python-2")
			} else {
				python("insert", "python-1")
				inGo("go-2", (*goPeer).handleDocument)
			}
			requireHealthy(t, c, tt.name, "CONNECTED: one flow")
		})
	}
}

// insertDocument inserts a document with the context in field.
func (p *goPeer) insertDocument(ctx context.Context, orders *mongo.Collection, field string) error {
	spanCtx, span := p.provider.Tracer("peer").Start(ctx, "order") //nolint:spancheck // Only its context matters.
	doc := mongocarrier.InjectM(spanCtx, bson.M{"item": "tea"}, mongocarrier.WithField(field))
	span.End()
	_, err := orders.InsertOne(ctx, doc)
	return err //nolint:spancheck // See above.
}

// handleDocument handles the one document of the collection, with the context in field.
func (p *goPeer) handleDocument(ctx context.Context, orders *mongo.Collection, field string) error {
	doc, err := orders.FindOne(ctx, bson.D{}).Raw()
	if err != nil {
		return err
	}
	consumer := mongocarrier.NewConsumer("orders", mongocarrier.WithTracerProvider(p.provider))
	return consumer.Process(ctx, mongocarrier.ReadRaw(doc, mongocarrier.WithField(field)), func(ctx context.Context) error {
		_, span := p.provider.Tracer("peer").Start(ctx, "handle")
		span.End()
		return nil
	})
}
