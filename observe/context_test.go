// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"context"
	"testing"

	"github.com/waybill-go/waybill/observe"
)

func TestMessageFromContext_None(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]context.Context{
		"nil context":  nil,
		"no message":   t.Context(),
		"nil message":  context.WithValue(t.Context(), observe.MessageContextKey{}, (*observe.Message)(nil)),
		"another type": context.WithValue(t.Context(), observe.MessageContextKey{}, observe.Message{Destination: "orders"}),
	} {
		if got, ok := observe.MessageFromContext(ctx); ok || got != (observe.Message{}) {
			t.Errorf("%s: MessageFromContext = %+v, %t, want none", name, got, ok)
		}
	}
}
