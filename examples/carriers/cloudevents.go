// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// extensions reads and writes the extensions of an event. Their names consist of
// lower-case letters and digits; a key with others is ignored, because it would
// make the event invalid.
type extensions struct{}

func (extensions) Get(e *event.Event, key string) string {
	return carriers.AnyMap(e.Extensions()).Get(strings.ToLower(key))
}

func (extensions) Set(e *event.Event, key, value string) { setExtension(e, key, value) }
func (extensions) Delete(e *event.Event, key string)     { setExtension(e, key, nil) }

func setExtension(e *event.Event, key string, value any) {
	if e.Context != nil && event.IsExtensionNameValid(key) {
		e.SetExtension(key, value)
	}
}

// InjectCloudEvent writes the context of ctx to e. The extension has the context in
// which the event was created, so a context that e already has is kept.
// https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md
func InjectCloudEvent(ctx context.Context, e *event.Event) {
	propagation.Inject(ctx, e, extensions{}, propagation.WithPolicy(propagation.KeepExisting))
}

// ExtractCloudEvent returns ctx with the context of e.
func ExtractCloudEvent(ctx context.Context, e *event.Event) context.Context {
	return propagation.Extract(ctx, e, extensions{})
}
