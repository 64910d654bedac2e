// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"go.opentelemetry.io/otel/propagation"

	waybill "github.com/waybill-go/waybill/propagation"
)

// newEvent returns a valid event with an extension of its user.
func newEvent() event.Event {
	e := event.New()
	e.SetID("1")
	e.SetType("quake")
	e.SetSource("/stations/hualien")
	e.SetExtension("user", "1")
	return e
}

func carryCloudEventInHTTP(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	e := newEvent()
	InjectCloudEvent(ctx, &e)
	request, err := cehttp.NewHTTPRequestFromEvent(t.Context(), "http://localhost", e)
	if err != nil {
		t.Fatal(err)
	}
	received, err := cehttp.NewEventFromHTTPRequest(request)
	if err != nil {
		t.Fatal(err)
	}
	return ExtractCloudEvent(t.Context(), received)
}

func carryCloudEventInJSON(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	e := newEvent()
	InjectCloudEvent(ctx, &e)
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var received event.Event
	if err := json.Unmarshal(text, &received); err != nil {
		t.Fatal(err)
	}
	return ExtractCloudEvent(t.Context(), &received)
}

func TestCloudEventKeepsTheContextOfItsCreation(t *testing.T) {
	t.Parallel()
	ctx := inAnySpan(t)
	e := newEvent()
	InjectCloudEvent(ctx, &e)
	InjectCloudEvent(inAnySpan(t), &e)
	if traceID(ExtractCloudEvent(t.Context(), &e)) != traceID(ctx) {
		t.Error("a later context has replaced it")
	}
}

func TestCloudEventStaysValid(t *testing.T) {
	t.Parallel()
	e := newEvent()
	InjectCloudEvent(inAnySpan(t), &e)
	waybill.Inject(inAnySpan(t), &e, extensions{}, waybill.WithPropagator(badName{}))
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
	if got := e.Extensions()["user"]; got != "1" {
		t.Errorf("the extension of the user is %v", got)
	}
}

// badName writes a key that no event may have, as those of B3 and X-Ray are.
type badName struct{ propagation.TraceContext }

func (badName) Fields() []string { return []string{"x-b3-traceid"} }

func (badName) Inject(_ context.Context, carrier propagation.TextMapCarrier) {
	carrier.Set("x-b3-traceid", "1")
}
