// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command childprocess starts another process and hands it the trace context in
// its environment, where the child finds it by itself.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/carriers/envcarrier"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		child()
		return
	}
	parent()
}

func parent() {
	ctx, span := sdktrace.NewTracerProvider().Tracer("childprocess").Start(context.Background(), "parent")
	fmt.Println("parent:", span.SpanContext().TraceID())

	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, "child")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	envcarrier.Command(ctx, cmd) // This is all the parent does.
	if err := cmd.Run(); err != nil {
		log.Fatal(err)
	}
	span.End()
}

func child() {
	ctx := envcarrier.Extract(context.Background()) // This is all the child does.
	_, span := sdktrace.NewTracerProvider().Tracer("childprocess").Start(ctx, "child")
	defer span.End()
	fmt.Println("child: ", span.SpanContext().TraceID())
	fmt.Println("TRACEPARENT =", os.Getenv("TRACEPARENT"))
}
