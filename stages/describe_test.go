// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/waybill-go/waybill/stages"
)

func TestWithErrorDescription(t *testing.T) {
	t.Parallel()
	redact := func(err error) string { return strings.ReplaceAll(err.Error(), "4711", "***") }
	late := errors.New("order 4711 is late")
	expired, cancelExpired := context.WithDeadlineCause(t.Context(), time.Unix(0, 0), late)
	t.Cleanup(cancelExpired)
	canceled, cancel := context.WithCancelCause(t.Context())
	cancel(late)
	noTotal := errors.New("order 4711 has no total")

	for _, tt := range []struct {
		name               string
		option             stages.Option
		ctx                context.Context //nolint:containedctx // A case is one call.
		err                error
		description, cause string
	}{
		{name: "default", err: noTotal, description: "*errors.errorString"},
		{name: "default, timeout", ctx: expired, err: context.DeadlineExceeded, description: "timeout"},
		{name: "redacted", option: stages.WithErrorDescription(redact), err: noTotal, description: "order *** has no total"},
		{name: "as it is", option: stages.WithErrorDescription(nil), err: sql.ErrNoRows, description: "sql: no rows in result set"},
		{name: "timeout", option: stages.WithErrorDescription(redact), ctx: expired, err: context.DeadlineExceeded, description: "context deadline exceeded", cause: "order *** is late"},
		{name: "cancellation", option: stages.WithErrorDescription(redact), ctx: canceled, err: context.Canceled, cause: "order *** is late"},
		{name: "nothing left", option: stages.WithErrorDescription(func(error) string { return "" }), ctx: expired, err: context.DeadlineExceeded, description: "timeout"},
		{name: "success", option: stages.WithErrorDescription(redact)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tt.option)
			ctx := tt.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			_ = r.Run(ctx, func(context.Context) error { return tt.err })
			span := r.span(t)
			if got := span.Status.Description; got != tt.description {
				t.Errorf("status = %q, want %q", got, tt.description)
			}
			if got := attributeOf(span, "etl.cause"); got != tt.cause {
				t.Errorf("etl.cause = %q, want %q", got, tt.cause)
			}
		})
	}
}

// One text that is not UTF-8, or too long, costs an exporter the whole batch.
func TestStage_TextOfTheUsersIsCleaned(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{name: "not UTF-8", text: "Caf\xe9.csv", want: "Caf\uFFFD.csv"},
		{name: "5 MiB", text: strings.Repeat("x", 5<<20), want: strings.Repeat("x", 1021) + "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cause := errors.New(tt.text)
			canceled, cancel := context.WithCancelCause(t.Context())
			cancel(cause)
			p, r := newRun(t, stages.WithErrorDescription(nil))
			work := []func(context.Context) error{
				func(context.Context) error { return cause },
				func(context.Context) error { panic(tt.text) },
				func(ctx context.Context) error { return ctx.Err() },
				func(context.Context) error { return typedError(tt.text) },
			}
			for i, fn := range work {
				ctx := t.Context()
				if i == 2 {
					ctx = canceled
				}
				_ = recovered(func() { _ = p.Run(ctx, fn, stages.WithParameter("file", tt.text), stages.WithParameter(tt.text, "x")) })
			}
			spans := r.spans.GetSpans()
			if len(spans) != len(work) {
				t.Fatalf("%d spans, want %d", len(spans), len(work))
			}
			for i, span := range spans {
				check := func(what, text string, limit int) {
					if !utf8.ValidString(text) || len(text) > limit {
						t.Errorf("run %d: %s is valid UTF-8: %t, %d bytes, want at most %d", i, what, utf8.ValidString(text), len(text), limit)
					}
				}
				check("status", span.Status.Description, 1024)
				for _, a := range span.Attributes {
					check("a key", string(a.Key), 300)
					check(string(a.Key), a.Value.String(), 1024)
				}
				for _, event := range span.Events {
					for _, a := range event.Attributes {
						if a.Key != "exception.stacktrace" {
							check(string(a.Key), a.Value.AsString(), 1024)
						}
					}
				}
				if got := attributeOf(span, "etl.parameter.file"); got != tt.want {
					t.Errorf("run %d: etl.parameter.file = %.40q…, want %.40q…", i, got, tt.want)
				}
			}
			if got := spans[0].Status.Description; got != tt.want {
				t.Errorf("status = %.40q…, want %.40q…", got, tt.want)
			}
			if got := attributeOf(spans[2], "etl.cause"); got != tt.want {
				t.Errorf("etl.cause = %.40q…, want %.40q…", got, tt.want)
			}
		})
	}
}

// typedError is an error whose type is any text.
type typedError string

func (typedError) Error() string       { return "typed" }
func (e typedError) ErrorType() string { return string(e) }
