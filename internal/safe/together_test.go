// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package safe_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-go/waybill/internal/safe"
)

func TestTogether(t *testing.T) {
	t.Parallel()
	type function = func(context.Context) error
	slow := func(context.Context) error { time.Sleep(time.Second); return nil }
	hangs := func(ctx context.Context) error { <-ctx.Done(); return nil }
	deaf := func(context.Context) error { time.Sleep(time.Hour); return nil }
	for _, tt := range []struct {
		name      string
		functions []function
		took      time.Duration
		want      string // The error.
	}{
		{name: "none", want: "<nil>"},
		{name: "at the same time", functions: []function{slow, slow, slow}, took: time.Second, want: "<nil>"},
		{name: "one hangs", functions: []function{slow, hangs}, took: time.Minute, want: "too late"},
		{name: "one ignores its context", functions: []function{deaf, slow}, took: time.Minute, want: "too late"},
		{name: "error", functions: []function{slow, func(context.Context) error { return errors.New("down") }}, took: time.Second, want: "down"},
		{name: "panic", functions: []function{slow, func(context.Context) error { panic("at the disco") }}, took: time.Second, want: "panic: at the disco"},
		{name: "Goexit", functions: []function{func(context.Context) error { runtime.Goexit(); return nil }}, want: "runtime.Goexit was called"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("too late"))
				defer cancel()
				began := time.Now()
				if got := fmt.Sprint(safe.Together(ctx, tt.functions...)); got != tt.want {
					t.Errorf("Together = %s, want %s", got, tt.want)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
				time.Sleep(time.Hour) // Until what was left behind has returned.
			})
		})
	}
}
