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

// A program in Python puts the context of OpenTelemetry into a document, as a map
// in the field _otel, and one in Go reads it.
func TestFlow_Document(t *testing.T) {
	t.Parallel()
	m, c := server.FerretDB(t), newCollector(t)
	s := &site{collector: c}
	peer(t, "python").run(t, append(s.env("python-1", ""), "MONGODB_URI="+m.URI()), "insert", "shop", "orders")

	p := newGoPeer(c.exporter(t), "", "go-2")
	if err := p.handleDocument(t.Context(), m.URI()); err != nil {
		t.Fatal(err)
	}
	p.close(t.Context(), t)
	requireHealthy(t, c, "pymongo", "CONNECTED: one flow")
}

// handleDocument handles the one document of the collection orders.
func (p *goPeer) handleDocument(ctx context.Context, uri string) error {
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	defer client.Disconnect(ctx) //nolint:errcheck // nothing is left to lose.
	doc, err := client.Database("shop").Collection("orders").FindOne(ctx, bson.D{}).Raw()
	if err != nil {
		return err
	}
	consumer := mongocarrier.NewConsumer("orders", mongocarrier.WithTracerProvider(p.provider))
	return consumer.Process(ctx, mongocarrier.ReadRaw(doc), func(ctx context.Context) error {
		_, span := p.provider.Tracer("peer").Start(ctx, "handle")
		span.End()
		return nil
	})
}
