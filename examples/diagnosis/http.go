// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"go.opentelemetry.io/contrib/propagators/b3"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// callThrough lets api call worker over HTTP, with a gateway between them that changes
// the headers. All speak B3.
func (s *system) callThrough(ctx context.Context, gateway func(http.Header)) error {
	format := b3.New(b3.WithInjectEncoding(b3.B3MultipleHeader))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gateway(r.Header)
		_, span := s.worker.Start(format.Extract(r.Context(), otelpropagation.HeaderCarrier(r.Header)), "GET /stock", trace.WithSpanKind(trace.SpanKindServer))
		span.End()
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()

	ctx, span := s.api.Start(ctx, "POST /orders", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	ctx, call := s.api.Start(ctx, "GET", trace.WithSpanKind(trace.SpanKindClient))
	defer call.End()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		return err
	}
	format.Inject(ctx, otelpropagation.HeaderCarrier(r.Header))
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("the stock is not known: %s", response.Status)
	}
	return nil
}
