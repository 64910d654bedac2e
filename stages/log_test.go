// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/stages"
)

// logged is a log in JSON, without times.
type logged struct{ bytes.Buffer }

func (l *logged) handler() slog.Handler { return slog.NewJSONHandler(&l.Buffer, withoutTime) }

// records returns the records since the last call.
func (l *logged) records(t testing.TB) []map[string]any {
	t.Helper()
	var records []map[string]any
	for decoder := json.NewDecoder(&l.Buffer); decoder.More(); {
		var record map[string]any
		if err := decoder.Decode(&record); err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	return records
}

// inSpan returns a ctx with a span that was not sampled.
func inSpan(t testing.TB) context.Context {
	t.Helper()
	return trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
}

const (
	logTrace = "01000000000000000000000000000000"
	logSpan  = "0200000000000000"
)

func TestNewLogHandler_SlogTest(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]context.Context{"of nothing": t.Context(), "of a span": inSpan(t)} {
		var log bytes.Buffer
		handler := withContext{stages.NewLogHandler(slog.NewJSONHandler(&log, nil)), ctx}
		err := slogtest.TestHandler(handler, func() []map[string]any {
			var records []map[string]any
			for line := range bytes.Lines(log.Bytes()) {
				record := map[string]any{}
				if err := json.Unmarshal(line, &record); err != nil {
					t.Fatal(err)
				}
				records = append(records, record)
			}
			return records
		})
		if err != nil {
			t.Errorf("in a context %s: %v", name, err)
		}
	}
}

// withContext hands each record to the handler with a ctx of its own.
type withContext struct {
	slog.Handler
	ctx context.Context //nolint:containedctx // The tests of slog have none.
}

func (h withContext) Handle(_ context.Context, r slog.Record) error {
	return h.Handler.Handle(h.ctx, r)
}

func (h withContext) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withContext{h.Handler.WithAttrs(attrs), h.ctx}
}

func (h withContext) WithGroup(name string) slog.Handler {
	return withContext{h.Handler.WithGroup(name), h.ctx}
}

func TestNewLogHandler_Attributes(t *testing.T) {
	t.Parallel()
	p := mustPipeline(t)
	load := mustStage(t, p, "load", stages.WithoutSpans())
	var log logged
	logger := slog.New(stages.NewLogHandler(log.handler()))
	say := func(ctx context.Context) { logger.InfoContext(ctx, "hello") }
	saying := func(ctx context.Context) error { say(ctx); return nil } //nolint:unparam // The function of a stage.

	member, err := baggage.NewMember("user", "alice")
	if err != nil {
		t.Fatal(err)
	}
	secret, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		log  func()
		want map[string]any
	}{
		"nothing":     {func() { say(t.Context()) }, nil},
		"no context":  {func() { say(nil) }, nil},
		"a stage":     {func() { _ = load.Run(t.Context(), saying) }, map[string]any{"pipeline": "orders", "stage": "load"}},
		"a whole run": {func() { _ = p.Run(t.Context(), saying) }, map[string]any{"pipeline": "orders"}},
		"a span": {func() { say(baggage.ContextWithBaggage(inSpan(t), secret)) }, map[string]any{
			"trace_id": logTrace, "span_id": logSpan, "trace_flags": "00",
		}},
		"both": {func() { _ = load.Run(inSpan(t), saying) }, map[string]any{
			"trace_id": logTrace, "span_id": logSpan, "trace_flags": "00", "pipeline": "orders", "stage": "load",
		}},
	} {
		tt.log()
		want := map[string]any{"level": "INFO", "msg": "hello"}
		maps.Copy(want, tt.want)
		if diff := cmp.Diff([]map[string]any{want}, log.records(t)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestNewLogHandler_TopLevel(t *testing.T) {
	t.Parallel()
	var log logged
	base := slog.New(stages.NewLogHandler(log.handler())).With("app", "etl")
	outer := base.WithGroup("http").With("method", "GET")
	inner := outer.WithGroup("").With().WithGroup("body").With("size", 1)
	sibling := outer.WithGroup("other")
	inner.InfoContext(inSpan(t), "m", "kind", "json")
	inner.InfoContext(t.Context(), "m", "kind", "json")
	sibling.InfoContext(inSpan(t), "m")
	base.InfoContext(inSpan(t), "m")

	group := map[string]any{"method": "GET", "body": map[string]any{"size": 1.0, "kind": "json"}}
	record := func(attrs map[string]any) map[string]any {
		attrs["level"], attrs["msg"], attrs["app"] = "INFO", "m", "etl"
		return attrs
	}
	want := []map[string]any{
		record(map[string]any{"http": group, "trace_id": logTrace, "span_id": logSpan, "trace_flags": "00"}),
		record(map[string]any{"http": group}),
		record(map[string]any{"http": map[string]any{"method": "GET"}, "trace_id": logTrace, "span_id": logSpan, "trace_flags": "00"}),
		record(map[string]any{"trace_id": logTrace, "span_id": logSpan, "trace_flags": "00"}),
	}
	if diff := cmp.Diff(want, log.records(t)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A record is shared by all the handlers it is given to.
func TestNewLogHandler_DoesNotChangeTheRecord(t *testing.T) {
	t.Parallel()
	var log logged
	handler := stages.NewLogHandler(log.handler())
	record := slog.Record{Message: "m"}
	for i := range 10 { // More than a record holds in itself, with room for three.
		record.AddAttrs(slog.Int(fmt.Sprint("k", i), i))
	}
	var all sync.WaitGroup
	for range 64 {
		shared := record
		all.Go(func() { _ = handler.Handle(inSpan(t), shared) })
	}
	all.Wait()
	if record.NumAttrs() != 10 {
		t.Errorf("the record has %d attributes", record.NumAttrs())
	}
	for _, got := range log.records(t) {
		if _, bug := got["!BUG"]; bug || len(got) != 2+10+3 {
			t.Errorf("the record became %v", got)
		}
	}
}

func TestNewLogHandler_ErrorLeavesTheSpanAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	logger := slog.New(stages.NewLogHandler(slog.DiscardHandler))
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		logger.ErrorContext(ctx, "oh no")
		return nil
	})
	if span := r.span(t); span.Status.Code != codes.Unset || len(span.Events) != 0 {
		t.Errorf("status %v, events %v", span.Status, span.Events)
	}
}

// picky is a handler for errors alone, which it does not like.
type picky struct{ slog.Handler }

func (picky) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (picky) Handle(context.Context, slog.Record) error        { return errBoom }

func TestNewLogHandler_Delegates(t *testing.T) {
	t.Parallel()
	handler := stages.NewLogHandler(picky{slog.DiscardHandler})
	if handler.Enabled(nil, slog.LevelWarn) || !handler.Enabled(t.Context(), slog.LevelError) { //nolint:staticcheck // A nil ctx is documented.
		t.Error("Enabled is not that of the handler")
	}
	if err := handler.Handle(inSpan(t), slog.Record{}); !errors.Is(err, errBoom) {
		t.Errorf("Handle = %v", err)
	}
	if stages.NewLogHandler(handler) != handler {
		t.Error("a handler is wrapped twice")
	}
	if stages.NewLogHandler(nil).Enabled(t.Context(), slog.LevelError) {
		t.Error("a nil handler logs")
	}
}

// groupValuer is a value that resolves to a group of one attribute.
type groupValuer struct{ key, value string }

func (v groupValuer) LogValue() slog.Value { return slog.GroupValue(slog.String(v.key, v.value)) }

// A key occurs once in a record, whoever gave it: of a JSON object with a key
// twice, readers keep either.
func TestNewLogHandler_NoDuplicateKeys(t *testing.T) {
	t.Parallel()
	load := mustStage(t, mustPipeline(t), "load", stages.WithoutSpans())
	const own = "mine"
	for _, tt := range []struct {
		name string
		log  func(context.Context, *slog.Logger)
		want map[string]any
	}{
		{name: "in the record", want: map[string]any{"trace_id": own}, log: func(ctx context.Context, l *slog.Logger) {
			l.InfoContext(ctx, "m", "trace_id", own)
		}},
		{name: "in the logger", want: map[string]any{"trace_id": own, "stage": own}, log: func(ctx context.Context, l *slog.Logger) {
			l.With("trace_id", own).With("stage", own).InfoContext(ctx, "m")
		}},
		{name: "in the logger, before a group", want: map[string]any{"span_id": own, "g": map[string]any{"a": 1.0}}, log: func(ctx context.Context, l *slog.Logger) {
			l.With("span_id", own).WithGroup("g").InfoContext(ctx, "m", "a", 1)
		}},
		{name: "in a group", want: map[string]any{"g": map[string]any{"trace_id": own}}, log: func(ctx context.Context, l *slog.Logger) {
			l.WithGroup("g").InfoContext(ctx, "m", "trace_id", own)
		}},
		{name: "name of a group", want: map[string]any{"pipeline": map[string]any{"a": 1.0}}, log: func(ctx context.Context, l *slog.Logger) {
			l.WithGroup("pipeline").InfoContext(ctx, "m", "a", 1)
		}},
		{name: "name of an empty group", log: func(ctx context.Context, l *slog.Logger) {
			l.WithGroup("pipeline").InfoContext(ctx, "m")
		}},
		{name: "in a value that is a group without a name", want: map[string]any{"trace_id": own, "span_id": own}, log: func(ctx context.Context, l *slog.Logger) {
			l.With(slog.Any("", groupValuer{"span_id", own})).InfoContext(ctx, "m", slog.Any("", groupValuer{"trace_id", own}))
		}},
		{name: "in a group without a name", want: map[string]any{"trace_id": own, "span_id": own}, log: func(ctx context.Context, l *slog.Logger) {
			l.With(slog.Group("", "span_id", own)).InfoContext(ctx, "m", slog.Group("", "trace_id", own))
		}},
		{name: "in the context", want: map[string]any{"trace_id": own, "file": "a"}, log: func(ctx context.Context, l *slog.Logger) {
			l.InfoContext(stages.ContextWithLogAttrs(ctx, slog.String("trace_id", own), slog.String("file", "a")), "m")
		}},
		{name: "in the context and in the record", want: map[string]any{"file": own}, log: func(ctx context.Context, l *slog.Logger) {
			l.InfoContext(stages.ContextWithLogAttrs(ctx, slog.String("file", "a")), "m", "file", own)
		}},
		{name: "from a handler below", log: func(ctx context.Context, l *slog.Logger) {
			slog.New(stages.NewLogHandler(withContext{l.Handler(), ctx})).InfoContext(ctx, "m")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log logged
			logger := slog.New(stages.NewLogHandler(log.handler()))
			_ = load.Run(inSpan(t), func(ctx context.Context) error { tt.log(ctx, logger); return nil })
			text := log.String()
			want := map[string]any{
				"level": "INFO", "msg": "m", "trace_id": logTrace, "span_id": logSpan, "trace_flags": "00", "pipeline": "orders", "stage": "load",
			}
			maps.Copy(want, tt.want)
			if diff := cmp.Diff([]map[string]any{want}, log.records(t)); diff != "" {
				t.Errorf("record (-want +got)\n%s", diff)
			}
			for key := range want {
				if _, inner := tt.want["g"]; !inner && strings.Count(text, `"`+key+`":`) != 1 {
					t.Errorf("%s occurs %d times in %s", key, strings.Count(text, `"`+key+`":`), text)
				}
			}
		})
	}
}

// A handler whose WithGroup chooses where records go must choose the same with and
// without a span.
func TestWithGroupedAttrs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		log  func(context.Context, *slog.Logger)
		want string // Where the record goes, and what it is, with pipeline and stage.
	}{
		{name: "no group", log: func(ctx context.Context, l *slog.Logger) { l.InfoContext(ctx, "m", "a", 1) }, want: `/ a=1 pipeline=orders stage=load`},
		{name: "a group", log: func(ctx context.Context, l *slog.Logger) { l.WithGroup("sql").InfoContext(ctx, "m", "a", 1) }, want: `/sql a=1 pipeline=orders stage=load`},
		{name: "groups and attributes", log: func(ctx context.Context, l *slog.Logger) {
			l.With("x", 1).WithGroup("sql").With("y", 2).WithGroup("tx").InfoContext(ctx, "m", "a", 1)
		}, want: `/sql/tx a=1 pipeline=orders stage=load`},
		{name: "a key of the group", log: func(ctx context.Context, l *slog.Logger) {
			l.With("pipeline", 1).WithGroup("sql").With("stage", 2).InfoContext(ctx, "m")
		}, want: `/sql pipeline=orders`},
		{name: "a key of the record", log: func(ctx context.Context, l *slog.Logger) {
			l.WithGroup("sql").InfoContext(ctx, "m", "stage", 2)
		}, want: `/sql stage=2 pipeline=orders`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			logger := slog.New(stages.NewLogHandler(routes{to: &got}, stages.WithGroupedAttrs()))
			tt.log(t.Context(), logger)
			p := mustPipeline(t, stages.WithoutSpans())
			_ = stages.Must(p.Stage("load")).Run(t.Context(), func(ctx context.Context) error {
				tt.log(ctx, logger)
				return nil
			})
			route := func(record string) string { return strings.Fields(record)[0] }
			if len(got) != 2 || got[1] != tt.want || route(got[0]) != route(got[1]) {
				t.Errorf("records = %q, want %q last, both on its way", got, tt.want)
			}
		})
	}
}

// routes is a handler that has another way for each group.
type routes struct {
	to   *[]string
	path string
}

func (r routes) Enabled(context.Context, slog.Level) bool { return true }
func (r routes) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r routes) WithGroup(name string) slog.Handler {
	return routes{to: r.to, path: r.path + "/" + name}
}

func (r routes) Handle(_ context.Context, record slog.Record) error {
	text := r.path
	if text == "" {
		text = "/"
	}
	record.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	*r.to = append(*r.to, text)
	return nil
}

func ExampleNewLogHandler() {
	var log strings.Builder
	logger := slog.New(stages.NewLogHandler(slog.NewTextHandler(&log, withoutTime)))

	p, _ := stages.NewPipeline("orders", stages.WithoutSpans())
	load, _ := p.Stage("load")
	_ = load.Run(context.Background(), func(ctx context.Context) error {
		logger.WarnContext(ctx, "no price", "order", 42)
		return nil
	})
	fmt.Print(log.String())
	// Output: level=WARN msg="no price" order=42 pipeline=orders stage=load
}

func ExampleWithGroupedAttrs() {
	logger := slog.New(stages.NewLogHandler(slog.NewTextHandler(os.Stdout, withoutTime), stages.WithGroupedAttrs()))
	ctx := stages.ContextWithLogAttrs(context.Background(), slog.Int("partition", 3))
	logger.WithGroup("sql").InfoContext(ctx, "stored", "rows", 12)
	// Output: level=INFO msg=stored sql.rows=12 sql.partition=3
}

// withoutTime makes a log the same each time.
var withoutTime = &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}}
