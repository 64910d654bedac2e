// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongo_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	mongo1 "go.mongodb.org/mongo-driver/mongo"
	options1 "go.mongodb.org/mongo-driver/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

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

// collection is a collection of a test's own, by both drivers.
type collection struct {
	*mongo.Collection
	v1 *mongo1.Collection
}

// newCollection returns an empty collection.
func newCollection(t *testing.T, m *server.MongoServer) collection {
	t.Helper()
	return newCollections(t, m, 1)[0]
}

// newCollections returns n empty collections.
func newCollections(t *testing.T, m *server.MongoServer, n int) []collection {
	t.Helper()
	v2, err := mongo.Connect(options.Client().ApplyURI(m.URI()))
	if err != nil {
		t.Fatal(err)
	}
	v1, err := mongo1.Connect(t.Context(), options1.Client().ApplyURI(m.URI()))
	if err != nil {
		t.Fatal(err)
	}
	database := fmt.Sprintf("waybill_%d", time.Now().UnixNano())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		_ = v2.Database(database).Drop(ctx)
		_ = v1.Disconnect(ctx)
		_ = v2.Disconnect(ctx)
	})
	collections := make([]collection, n)
	for i := range collections {
		name := fmt.Sprint("orders", i)
		collections[i] = collection{v2.Database(database).Collection(name), v1.Database(database).Collection(name)}
	}
	return collections
}
