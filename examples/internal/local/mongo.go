// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// StartMongo starts a server that speaks MongoDB's protocol. It returns the
// server's URI, and what stops it and forgets its data.
func StartMongo() (uri string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "mongo-")
	if err != nil {
		return "", nil, err
	}
	db, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: "127.0.0.1:0"},
		Logger:    slog.New(slog.DiscardHandler),
		Handler:   "sqlite",
		SQLiteURL: "file:" + dir + "/",
	})
	if err != nil {
		return "", nil, fmt.Errorf("start the MongoDB server: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = db.Run(ctx) // It returns no error.
	}()
	return db.MongoDBURI(), func() { cancel(); <-stopped; _ = os.RemoveAll(dir) }, nil
}
