// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"encoding/json"
	"net"
	"net/http"
	"time"
)

// serve serves handler on a loopback port. It returns the URL of the server, and a
// function that stops it.
func serve(handler http.Handler) (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // It returns when the server is stopped.
	return "http://" + listener.Addr().String(), func() { _ = server.Close() }, nil
}

// answer writes body as JSON.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // It fails if the client has gone.
}

// Launch starts this program again as another process, with no environment but env,
// and returns a function that waits for its end.
type Launch func(name string, args, env []string) (wait func() error, err error)
