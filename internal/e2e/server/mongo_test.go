// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

func TestFerretDBKeepsItsDocumentsOverARestart(t *testing.T) {
	t.Parallel()
	m := testMongo(t, server.FerretDB)
	if got := countDocuments(t, m); got != 2 {
		t.Errorf("there are %d documents, want those from before and after the restart, 2", got)
	}
}

func TestMongoIsTheServerThatTheEnvironmentNames(t *testing.T) {
	own := server.FerretDB(t)
	t.Setenv("MONGODB_URI", own.URI())
	if m := server.Mongo(t); m.URI() != own.URI() {
		t.Errorf("the URI is %s, want the one that the environment names, %s", m.URI(), own.URI())
	}
	said := fatal(t, func(tb testing.TB) { server.Mongo(tb).Stop() })
	if !strings.Contains(said, "the environment names the server") {
		t.Errorf("Stop says %q", said)
	}
	insert(t, own)
}

// testMongo proves what every MongoServer promises. It inserts a document before
// and one after a restart.
func testMongo(t *testing.T, start func(testing.TB) *server.MongoServer) *server.MongoServer {
	t.Helper()
	var uri string
	t.Run("ends with the test", func(t *testing.T) { uri = start(t).URI() })
	addr := strings.TrimSuffix(strings.TrimPrefix(uri, "mongodb://"), "/")
	requireRefused(t, addr)

	m := start(t)
	insert(t, m)
	m.Stop()
	m.Start()
	insert(t, m)
	return m
}

func insert(t *testing.T, m *server.MongoServer) {
	t.Helper()
	if _, err := collection(t, m).InsertOne(within(t), bson.D{{Key: "item", Value: "tea"}}); err != nil {
		t.Fatal(err)
	}
}

func countDocuments(t *testing.T, m *server.MongoServer) int64 {
	t.Helper()
	n, err := collection(t, m).CountDocuments(within(t), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func collection(t *testing.T, m *server.MongoServer) *mongo.Collection {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(m.URI()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(within(t)) })
	return client.Database("shop").Collection("orders")
}
