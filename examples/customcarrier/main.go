// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command customcarrier carries a trace context on a carrier that OpenTelemetry
// knows nothing of: the labels of a parcel. Three methods are all it takes.
package main

import (
	"context"
	"fmt"
	"slices"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/propagation"
)

// parcel is the carrier: its labels hold the context.
type parcel struct {
	labels []label
	body   string
}

type label struct{ name, text string }

// onLabels is the setter and the getter of parcels.
type onLabels struct{}

func (onLabels) Get(p *parcel, key string) string {
	for _, l := range p.labels {
		if l.name == key {
			return l.text
		}
	}
	return ""
}

func (o onLabels) Set(p *parcel, key, value string) {
	o.Delete(p, key)
	p.labels = append(p.labels, label{key, value})
}

// Delete is optional: it keeps old keys off a parcel that is sent again.
func (onLabels) Delete(p *parcel, key string) {
	p.labels = slices.DeleteFunc(slices.Clone(p.labels), func(l label) bool { return l.name == key })
}

func main() {
	tracer := sdktrace.NewTracerProvider().Tracer("customcarrier")

	ctx, sender := tracer.Start(context.Background(), "send")
	p := &parcel{labels: []label{{"to", "Hualian"}}, body: "a seismometer"}
	propagation.Inject(ctx, p, onLabels{})
	sender.End()

	for _, l := range p.labels {
		fmt.Printf("%-12s %s\n", l.name, l.text)
	}

	ctx = propagation.Extract(context.Background(), p, onLabels{})
	_, receiver := tracer.Start(ctx, "receive")
	receiver.End()
	fmt.Println("one trace:", receiver.SpanContext().TraceID() == sender.SpanContext().TraceID())
}
