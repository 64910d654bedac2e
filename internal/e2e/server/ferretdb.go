// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// FerretDB starts a server in this process that keeps what it stores in SQLite.
// It has no change streams, and a command's comment must be a string.
func FerretDB(t testing.TB) *MongoServer {
	t.Helper()
	addrs, err := freeAddrs(1)
	if err != nil {
		t.Fatal(err)
	}
	return &MongoServer{lifecycle: begin(t, &ferret{addr: addrs[0], dir: t.TempDir()}), uri: mongoURI(addrs[0])}
}

// ferret is FerretDB in this process. Its data outlives it in dir.
type ferret struct {
	addr string
	dir  string

	cancel context.CancelFunc
	gone   chan struct{} // closed when it has ended.
}

func (f *ferret) start(context.Context) error {
	db, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: f.addr},
		Logger:    slog.New(slog.DiscardHandler),
		Handler:   "sqlite",
		SQLiteURL: "file:" + filepath.ToSlash(f.dir) + "/?_pragma=synchronous(off)", // a machine that crashes takes the test with it.
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background()) // it serves until stop.
	gone := make(chan struct{})
	go func() {
		_ = db.Run(ctx) // always nil.
		close(gone)
	}()
	f.cancel, f.gone = cancel, gone
	return nil
}

// stop waits for the clients that are connected, for some seconds at most.
func (f *ferret) stop() error {
	f.cancel()
	<-f.gone
	return nil
}
