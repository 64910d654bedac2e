// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	otelattribute "go.opentelemetry.io/otel/attribute"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

const (
	traceparentA = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traceparentB = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

type attribute = otelattribute.KeyValue

// read returns the context of a carrier with one key.
func read(key, value string) propagation.Remote {
	return propagation.ReadTextMap(otelpropagation.MapCarrier{key: value}, propagation.WithPropagator(propagation.Default()))
}

func only(t *testing.T, f *flowtest.Flow) tracetest.SpanStub {
	t.Helper()
	spans := f.Wait(time.Second).Spans()
	if len(spans) != 1 {
		t.Fatalf("%d spans were recorded, want 1", len(spans))
	}
	return spans[0]
}

func attributeOf(span tracetest.SpanStub, key string) string {
	for _, a := range span.Attributes {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}

func synctestRun(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// events is an observer that keeps what it is told.
type events struct {
	mu  sync.Mutex
	all []string
}

var (
	_ observe.MessagingObserver = (*events)(nil)
	_ observe.PartitionObserver = (*events)(nil)
)

func (e *events) add(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, fmt.Sprintf(format, args...))
}

// take returns the events so far, sorted, and forgets them.
func (e *events) take() []string {
	all := e.inOrder()
	slices.Sort(all)
	return all
}

// inOrder returns the events so far and forgets them.
func (e *events) inOrder() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.all
	e.all = nil
	return all
}

func (e *events) Sent(_ context.Context, s observe.Send) {
	e.add("sent %s/%d messages=%d bytes=%d", s.Destination, s.Partition, s.Messages, s.Bytes)
}

func (e *events) Fetched(_ context.Context, f observe.Fetch) {
	e.add("fetched %s/%d offset=%d lag=%d", f.Topic, f.Partition, f.Offset, f.Lag)
}

func (e *events) Arrived(_ context.Context, a observe.Arrival) {
	e.add("arrived %s hop=%v end-to-end=%v", a.Destination, a.Hop.Round(time.Minute), a.EndToEnd.Round(time.Minute))
}

func (e *events) Processed(_ context.Context, p observe.Process) {
	e.add("processed %s messages=%d %v %s", p.Destination, p.Messages, p.Outcome, p.ErrorType)
}

func (e *events) Committed(_ context.Context, c observe.Commit) {
	e.add("committed %s/%d offset=%d lag=%d", c.Topic, c.Partition, c.Offset, c.Lag)
}

func (e *events) Failed(_ context.Context, f observe.Failure) {
	e.add("failed %s %s %s", f.Operation, f.Destination, f.ErrorType)
}

func (e *events) Dropped(d observe.Drop) { e.add("dropped %s %s", d.Reason, d.Destination) }

func (e *events) Redelivered(p observe.Partition) { e.add("redelivered %s/%d", p.Topic, p.Partition) }

func (e *events) Skipped(g observe.Gap) {
	e.add("skipped %s/%d offsets=%d", g.Topic, g.Partition.Partition, g.Offsets)
}

func (e *events) Revoked(p observe.Partition) { e.add("revoked %s/%d", p.Topic, p.Partition) }
