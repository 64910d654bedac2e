// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// MongoServer is a server that speaks MongoDB's protocol, for one test.
type MongoServer struct {
	*lifecycle
	uri string
}

// Mongo starts a server with change streams. It keeps what it stores in memory,
// so that is gone after Stop. If the variable MONGODB_URI is set, Mongo uses the
// server there instead.
func Mongo(t testing.TB) *MongoServer {
	t.Helper()
	if uri := os.Getenv("MONGODB_URI"); uri != "" {
		return &MongoServer{lifecycle: use(t, mongoReady(uri)), uri: uri}
	}
	j := requireJava(t, "mongo-java-server")
	addrs, err := freeAddrs(1)
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(addrs[0])
	if err != nil {
		t.Fatal(err)
	}
	uri := mongoURI(addrs[0])
	process := &process{command: j.command("Main", host, port), dir: t.TempDir(), ready: mongoReady(uri)}
	return &MongoServer{lifecycle: begin(t, process), uri: uri}
}

// URI returns the connection string of the server.
func (m *MongoServer) URI() string { return m.uri }

func mongoURI(addr string) string { return "mongodb://" + addr + "/" }

// mongoReady returns a function that reports whether the server at uri answers.
func mongoReady(uri string) func(context.Context) error {
	return func(ctx context.Context) error {
		client, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(time.Second))
		if err != nil {
			return err
		}
		defer client.Disconnect(ctx) //nolint:errcheck // nothing is left to lose.
		return client.Ping(ctx, nil)
	}
}
