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

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/internal/e2e/server"
)

// A document carries the context from a program in one language to one in another.
func TestFlow_Document(t *testing.T) {
	t.Parallel()
	m := server.FerretDB(t)
	for _, tt := range []struct {
		name, from string // A job is one in Python that Go has started.
		field      string
		hops       map[string]int64 // Of a flow that begins in Go, so that it has a tracestate.
	}{
		{name: "pymongo", from: "python", field: "_otel"}, // With the propagator of OpenTelemetry.
		{name: "pymongo-receiver", from: "job", field: "context", hops: map[string]int64{"order": 1, "handle": 2}},
		{name: "mongocarrier-to-pymongo", from: "go", field: "_otel", hops: map[string]int64{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCollector(t)
			s := &site{collector: c}
			python := func(ctx context.Context, what, service string) {
				env := envcarrier.Inject(ctx, append(s.pythonEnv(t, service), "MONGODB_URI="+m.URI()))
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
			switch tt.from {
			case "go":
				inGo("go-1", (*goPeer).insertDocument)
				python(t.Context(), "handle", "python-2")
			case "python":
				python(t.Context(), "insert", "python-1")
				inGo("go-2", (*goPeer).handleDocument)
			case "job":
				s.startInGo(t, func(ctx context.Context) { python(ctx, "insert", "python-2") })
				inGo("go-3", (*goPeer).handleDocument)
			}
			requireHealthy(t, c, tt.name, "CONNECTED: one flow")
			if tt.from != "python" {
				requireFields(t, c, tt.hops)
			}
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
		ctx, span := p.provider.Tracer("peer").Start(ctx, "handle")
		noteHops(ctx)
		span.End()
		return nil
	})
}
