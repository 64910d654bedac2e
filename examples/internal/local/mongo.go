// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// stopTimeout is the time in which the server must stop.
const stopTimeout = 5 * time.Second

// StartMongo starts a server that speaks MongoDB's protocol. It returns the URI of
// the server, and a function that stops it and removes its data.
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
		_ = os.RemoveAll(dir) // err is the cause.
		return "", nil, fmt.Errorf("start the MongoDB server: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = db.Run(ctx) // It returns no error.
	}()
	stop = func() {
		cancel()
		select {
		case <-stopped:
		case <-time.After(stopTimeout): // It waits for connections that do not end.
		}
		_ = os.RemoveAll(dir)
	}
	return db.MongoDBURI(), stop, nil
}
