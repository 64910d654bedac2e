// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"fmt"
	"net/http"
)

// handler serves OTLP.
type handler struct {
	Config

	memory budget
}

func newHandler(c Config) *handler {
	h := &handler{Config: c}
	h.memory.left.Store(int64(c.MaxTotalBytes))
	return h
}

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if isGRPC(r) {
		h.serveGRPC(w, r)
		return
	}
	h.serveHTTP(w, r)
}

// checkHost refuses requests that a page of another site may have sent; see [IsLocal].
// That does not matter where anybody may send spans.
func (h *handler) checkHost(r *http.Request) error {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(fmt.Stringer)
	if ok && !IsLoopback(local.String()) || IsLocal(r.Host) {
		return nil
	}
	return &refusal{
		http.StatusForbidden, grpcPermissionDenied,
		"a request for the host " + clip(r.Host) + " came to a loopback address; use 127.0.0.1 or localhost in the endpoint",
	}
}

// accept hands an export to the consumer.
func (h *handler) accept(memory *allowance, r *Request) (err error) {
	if r.Signal == Traces {
		if r.Message, err = memory.open(r, h.MaxBytes); err != nil {
			return err
		}
	}
	defer func() {
		if value := recover(); value != nil { // Such as that of a parser.
			err = fmt.Errorf("the consumer failed: %v", value)
		}
	}()
	return h.Consume(r)
}
