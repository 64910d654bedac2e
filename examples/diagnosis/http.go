// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/contrib/propagators/b3"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// call lets api call worker over HTTP, and send an order then.
func (s *system) call(ctx context.Context) error {
	stock := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	server := httptest.NewServer(otelhttp.NewHandler(stock, "GET /stock", otelhttp.WithTracerProvider(s.worker.provider)))
	defer server.Close()
	client := http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport, otelhttp.WithTracerProvider(s.api.provider))}

	request, span := s.api.Start(ctx, "POST /orders", trace.WithSpanKind(trace.SpanKindServer))
	err := get(request, &client, server.URL, nil)
	span.End()
	if err != nil {
		return err
	}
	return s.sendAndWork(ctx)
}

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
	header := make(http.Header)
	format.Inject(ctx, otelpropagation.HeaderCarrier(header))
	return get(ctx, http.DefaultClient, server.URL, header)
}

// get asks for the stock.
func get(ctx context.Context, client *http.Client, url string, header http.Header) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	maps.Copy(r.Header, header)
	response, err := client.Do(r)
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
