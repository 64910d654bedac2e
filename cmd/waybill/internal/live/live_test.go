// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package live_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/cmd/waybill/internal/live"
	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
	"github.com/waybill-go/waybill/internal/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// span describes a span for a test.
type span struct {
	trace, id, parent int
	links             []int // Traces, whose span 1 is linked.
	service, name     string
	job               string // The Kubernetes Job of its process.
	kind              ptrace.SpanKind
	start, took       time.Duration
	failed            bool
	remote            bool
	attributes        map[string]string
}

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func traceID(n int) pcommon.TraceID {
	var id pcommon.TraceID
	binary.BigEndian.PutUint64(id[8:], uint64(n)) //nolint:gosec // It is positive.
	id[0] = 1
	return id
}

func spanID(n int) pcommon.SpanID {
	var id pcommon.SpanID
	binary.BigEndian.PutUint64(id[:], uint64(n)) //nolint:gosec // It is positive.
	return id
}

// export returns an ExportTraceServiceRequest of spans.
func export(t testing.TB, spans ...span) []byte {
	t.Helper()
	traces := ptrace.NewTraces()
	for _, s := range spans {
		resource := traces.ResourceSpans().AppendEmpty()
		resource.Resource().Attributes().PutStr("service.name", s.service)
		if s.job != "" {
			resource.Resource().Attributes().PutStr("k8s.job.name", s.job)
		}
		scope := resource.ScopeSpans().AppendEmpty()
		scope.Scope().SetName("test")
		made := scope.Spans().AppendEmpty()
		made.SetTraceID(traceID(s.trace))
		made.SetSpanID(spanID(s.id))
		if s.parent != 0 {
			made.SetParentSpanID(spanID(s.parent))
		}
		made.SetFlags(0x100)
		if s.remote {
			made.SetFlags(0x300)
		}
		for _, link := range s.links {
			to := made.Links().AppendEmpty()
			to.SetTraceID(traceID(link))
			to.SetSpanID(spanID(1))
		}
		made.SetName(s.name)
		made.SetKind(s.kind)
		made.SetStartTimestamp(pcommon.NewTimestampFromTime(begin.Add(s.start)))
		made.SetEndTimestamp(pcommon.NewTimestampFromTime(begin.Add(s.start + s.took)))
		if s.failed {
			made.Status().SetCode(ptrace.StatusCodeError)
		}
		for key, value := range s.attributes {
			made.Attributes().PutStr(key, value)
		}
	}
	message, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func add(t testing.TB, s *live.Store, spans ...span) {
	t.Helper()
	if err := s.AddProtobuf(export(t, spans...)); err != nil {
		t.Fatal(err)
	}
}

// message are the attributes of a span of a Kafka message.
func message(offset string) map[string]string {
	return map[string]string{
		"messaging.system": "kafka", "messaging.destination.name": "orders",
		"messaging.destination.partition.id": "0", "messaging.kafka.offset": offset,
	}
}

// sizes returns how many spans each flow has, the oldest flow first.
func sizes(s *live.Store) []int {
	list, _ := s.List(live.Query{})
	slices.SortFunc(list.Rows, func(a, b live.Row) int { return int(a.Number) - int(b.Number) }) //nolint:gosec // They are small.
	sizes := make([]int, len(list.Rows))
	for i, row := range list.Rows {
		sizes[i] = row.Spans
	}
	return sizes
}

func TestStore_Joins(t *testing.T) {
	t.Parallel()
	sent := span{trace: 1, id: 1, service: "api", name: "send", kind: ptrace.SpanKindProducer, attributes: message("7")}
	lost := span{trace: 2, id: 1, service: "etl", name: "process", kind: ptrace.SpanKindConsumer, attributes: message("7")}
	other := span{trace: 3, id: 1, service: "etl", name: "process", kind: ptrace.SpanKindConsumer, attributes: message("8")}
	linked := span{trace: 4, id: 1, links: []int{1}, service: "job", name: "run"}
	for _, tt := range []struct {
		name  string
		spans []span
		want  []int
	}{
		{name: "one trace", spans: []span{{trace: 1, id: 2, parent: 1}, {trace: 1, id: 1}}, want: []int{2}},
		{name: "two traces", spans: []span{{trace: 1, id: 1}, {trace: 2, id: 1}}, want: []int{1, 1}},
		{name: "a link to what is there", spans: []span{sent, linked}, want: []int{2}},
		{name: "a link to what arrives later", spans: []span{linked, sent}, want: []int{2}},
		{name: "two links to what was not recorded", spans: []span{{trace: 1, id: 1, links: []int{9}}, {trace: 2, id: 1, links: []int{9}}}, want: []int{2}},
		{name: "links that join flows", spans: []span{{trace: 1, id: 1}, {trace: 2, id: 1}, {trace: 2, id: 2}, {trace: 3, id: 1, links: []int{1, 2}}}, want: []int{4}},
		{name: "links in a circle", spans: []span{{trace: 1, id: 1, links: []int{2}}, {trace: 2, id: 1, links: []int{1}}}, want: []int{2}},
		{name: "a link to itself", spans: []span{{trace: 1, id: 1, links: []int{1}}}, want: []int{1}},
		{name: "a message whose context was lost", spans: []span{sent, lost}, want: []int{2}},
		{name: "a message whose sender arrives later", spans: []span{lost, sent}, want: []int{2}},
		{name: "another message", spans: []span{sent, other}, want: []int{1, 1}},
		{
			name: "two runs that send to the same place",
			spans: []span{
				sent,
				{trace: 1, id: 2, parent: 1, remote: true, service: "etl", name: "process", kind: ptrace.SpanKindConsumer, attributes: message("7")},
				{trace: 5, id: 1, service: "api", name: "send", kind: ptrace.SpanKindProducer, attributes: message("7")},
				{trace: 5, id: 2, parent: 1, remote: true, service: "etl", name: "process", kind: ptrace.SpanKindConsumer, attributes: message("7")},
			},
			want: []int{2, 2},
		},
		{name: "a span that is its own parent", spans: []span{{trace: 1, id: 1, parent: 1}}, want: []int{1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := live.NewStore(live.Limits{})
			for _, one := range tt.spans { // One by one, as from many processes.
				add(t, s, one)
			}
			if got := sizes(s); !slices.Equal(got, tt.want) {
				t.Errorf("flows of %v spans, want %v", got, tt.want)
			}
		})
	}
}

// What falls out is counted, and leaves nothing behind that could be joined with.
func TestStore_Limits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		limits live.Limits
		flows  int
		spans  int // Of each flow.
		want   live.Totals
	}{
		{name: "flows", limits: live.Limits{Flows: 10}, flows: 100, spans: 2, want: live.Totals{Flows: 10, Spans: 20, Received: 200, GoneFlows: 90, GoneSpans: 180}},
		{name: "spans", limits: live.Limits{Spans: 10}, flows: 100, spans: 2, want: live.Totals{Flows: 5, Spans: 10, Received: 200, GoneFlows: 95, GoneSpans: 190}},
		{name: "spans of one flow", limits: live.Limits{SpansOfFlow: 5}, flows: 1, spans: 100, want: live.Totals{Flows: 1, Spans: 5, Received: 100, GoneSpans: 95}},
		{name: "one flow that is too large", limits: live.Limits{Bytes: 100}, flows: 1, spans: 3, want: live.Totals{Received: 3, GoneFlows: 3, GoneSpans: 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := live.NewStore(tt.limits)
			for n := range tt.flows {
				for i := range tt.spans {
					add(t, s, span{trace: n + 1, id: i + 1, service: "api", name: "work"})
				}
			}
			if got := s.Totals(); got != tt.want {
				t.Errorf("totals %+v, want %+v", got, tt.want)
			}
		})
	}
}

// A million flows need no more memory than those that are kept, whatever joins them.
func TestStore_ManyFlows(t *testing.T) {
	t.Parallel()
	const flows, kept = 100_000, 100
	s := live.NewStore(live.Limits{Flows: kept})
	spans := make([]span, 0, 1000)
	for n := range flows {
		spans = append(spans, span{
			trace: n + 1, id: 1, links: []int{flows + n + 1}, service: "api", name: "send", kind: ptrace.SpanKindProducer,
			attributes: message(strconv.Itoa(n)),
		})
		if len(spans) == cap(spans) {
			add(t, s, spans...)
			spans = spans[:0]
		}
	}
	if got, want := s.Totals(), (live.Totals{Flows: kept, Spans: kept, Received: flows, GoneFlows: flows - kept, GoneSpans: flows - kept}); got != want {
		t.Errorf("totals %+v, want %+v", got, want)
	}
	if entries := s.Entries(); entries > 20*kept {
		t.Errorf("the indexes have %d entries for %d flows", entries, kept)
	}
}

func TestStore_States(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		spans   []span
		fresh   live.State // Before the flow is quiet,
		settled live.State // and after.
	}{
		{name: "well", spans: []span{{trace: 1, id: 1, service: "api", name: "work"}}, fresh: live.Fresh, settled: live.Settled},
		{name: "failed", spans: []span{{trace: 1, id: 1, service: "api", name: "work", failed: true}}, fresh: live.Failed, settled: live.Failed},
		{
			name: "a message whose context was lost",
			spans: []span{
				{trace: 1, id: 1, service: "api", name: "send", kind: ptrace.SpanKindProducer, attributes: message("7")},
				{trace: 2, id: 1, service: "etl", name: "process", kind: ptrace.SpanKindConsumer, attributes: message("7"), failed: true},
			},
			fresh: live.Broken, settled: live.Broken,
		},
		{
			name:  "a poll that brought nothing",
			spans: []span{{trace: 1, id: 1, service: "etl", name: "poll", kind: ptrace.SpanKindConsumer, attributes: map[string]string{"messaging.batch.message_count": "0"}}},
			fresh: live.Fresh, settled: live.Settled,
		},
		{
			name:  "a lost parent",
			spans: []span{{trace: 1, id: 2, parent: 1, service: "api", name: "work"}},
			fresh: live.Fresh, settled: live.Broken,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := live.NewStore(live.Limits{Quiet: 10 * time.Second})
			add(t, s, tt.spans...)
			if got := state(t, s); got != tt.fresh {
				t.Errorf("while it grows: %s, want %s", got, tt.fresh)
			}
			s.Quieten(flow.Expectation{})
			if got := state(t, s); got != tt.settled {
				t.Errorf("when it is quiet: %s, want %s", got, tt.settled)
			}
			add(t, s, span{trace: 1, id: 9, parent: 1, service: "api", name: "late"})
			if got := state(t, s); tt.settled == live.Settled && got != live.Fresh {
				t.Errorf("after a late span: %s, want fresh", got)
			}
		})
	}
}

// Another run that sent to the same place does not hide which message it was.
func TestStore_ExamineBesideAnotherRun(t *testing.T) {
	t.Parallel()
	s := live.NewStore(live.Limits{})
	add(t, s, span{trace: 9, id: 1, service: "other", name: "send", kind: ptrace.SpanKindProducer, attributes: message("7")})
	add(t, s,
		span{trace: 1, id: 1, service: "api", name: "send", kind: ptrace.SpanKindProducer, attributes: message("7")},
		span{trace: 2, id: 1, service: "etl", name: "process", kind: ptrace.SpanKindConsumer, start: time.Second, attributes: message("7")},
	)
	e, ok := s.Examine(2, flow.Expectation{})
	if !ok {
		t.Fatal("there is no flow 2")
	}
	if got := e.Diagnosis.Summary(e.Graph); !strings.HasPrefix(got, "BROKEN between api and etl") {
		t.Errorf("%s, want BROKEN between api and etl", got)
	}
}

// state returns the state of the only flow.
func state(t *testing.T, s *live.Store) live.State {
	t.Helper()
	list, _ := s.List(live.Query{})
	if len(list.Rows) != 1 {
		t.Fatalf("%d flows, want 1", len(list.Rows))
	}
	return list.Rows[0].State
}

// A receiver that lost the context is shown with the flow that may have sent to it,
// also if nothing says which message it was.
func TestStore_ExamineWithSender(t *testing.T) {
	t.Parallel()
	s := live.NewStore(live.Limits{})
	attributes := map[string]string{"messaging.system": "kafka", "messaging.destination.name": "orders"}
	add(t, s,
		span{trace: 1, id: 1, service: "api", name: "send orders", kind: ptrace.SpanKindProducer, attributes: attributes},
		span{trace: 2, id: 1, service: "etl", name: "process orders", kind: ptrace.SpanKindConsumer, start: time.Second, attributes: attributes},
		span{trace: 3, id: 1, service: "cron", name: "clean up"},
	)
	e, ok := s.Examine(2, flow.Expectation{})
	if !ok {
		t.Fatal("there is no flow 2")
	}
	if got := e.Diagnosis.Summary(e.Graph); !strings.HasPrefix(got, "BROKEN between api and etl") || len(e.Graph.Spans()) != 2 {
		t.Errorf("%s, with %d spans; want BROKEN between api and etl with 2", got, len(e.Graph.Spans()))
	}
	if _, ok := s.Examine(99, flow.Expectation{}); ok {
		t.Error("there is a flow 99")
	}
}

// A flow that broke is listed once, if a finding says what its pieces are.
func TestStore_ExamineJoins(t *testing.T) {
	t.Parallel()
	orders := map[string]string{"messaging.system": "kafka", "messaging.destination.name": "orders"}
	created := map[string]string{"k8s.job.name": "load-29"}
	for _, tt := range []struct {
		name  string
		spans []span
		state live.State
		sizes []int
	}{
		{
			name: "a message of which nothing says which one it was",
			spans: []span{
				{trace: 1, id: 1, service: "api", name: "send orders", kind: ptrace.SpanKindProducer, attributes: orders},
				{trace: 2, id: 1, service: "etl", name: "process orders", kind: ptrace.SpanKindConsumer, start: time.Second, attributes: orders},
				{trace: 2, id: 2, parent: 1, service: "etl", name: "store"},
			},
			state: live.Broken, sizes: []int{3},
		},
		{
			name: "a Kubernetes Job",
			spans: []span{
				{trace: 1, id: 1, service: "planner", name: "create job load", kind: ptrace.SpanKindProducer, attributes: created},
				{trace: 2, id: 1, service: "load", job: "load-29", name: "load", start: time.Second},
				{trace: 3, id: 1, service: "load", job: "load-30", name: "load", start: time.Second},
			},
			state: live.Broken, sizes: []int{2, 1},
		},
		{
			name: "a message that was received, and a receiver of another sender",
			spans: []span{
				{trace: 1, id: 1, service: "api", name: "send orders", kind: ptrace.SpanKindProducer, attributes: orders},
				{trace: 1, id: 2, parent: 1, remote: true, service: "etl", name: "process orders", kind: ptrace.SpanKindConsumer, start: time.Second, attributes: orders},
				{trace: 2, id: 1, service: "cron", name: "clean up", start: time.Second},
			},
			state: live.Settled, sizes: []int{2, 1},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := live.NewStore(live.Limits{})
			for _, one := range tt.spans {
				add(t, s, one)
			}
			for range 2 { // Flows that are joined are examined again.
				s.Quieten(flow.Expectation{})
			}
			list, _ := s.List(live.Query{})
			if got := sizes(s); !slices.Equal(got, tt.sizes) || list.Rows[0].State != tt.state {
				t.Errorf("flows of %v spans, the first %s; want %v, %s", got, list.Rows[0].State, tt.sizes, tt.state)
			}
			if totals := s.Totals(); totals.Flows != len(tt.sizes) || totals.Spans != len(tt.spans) {
				t.Errorf("totals %+v, want %d flows of %d spans", totals, len(tt.sizes), len(tt.spans))
			}
		})
	}
}

func TestStore_Slow(t *testing.T) {
	t.Parallel()
	s := live.NewStore(live.Limits{})
	for n := range 20 {
		add(t, s, span{trace: n + 1, id: 1, service: "api", name: "work", took: time.Second})
	}
	s.Quieten(flow.Expectation{})
	add(t, s, span{trace: 99, id: 1, service: "api", name: "work", took: time.Minute})
	s.Quieten(flow.Expectation{})
	list, _ := s.List(live.Query{State: live.Slow})
	if len(list.Rows) != 1 || list.Rows[0].Took != "1m0s" {
		t.Errorf("slow flows: %+v, want the one of a minute", list.Rows)
	}
}

func TestStore_List(t *testing.T) {
	t.Parallel()
	s := live.NewStore(live.Limits{})
	add(t, s,
		span{trace: 1, id: 1, service: "api", name: "GET /orders"},
		span{trace: 2, id: 1, service: "api", name: "POST /orders", failed: true},
		span{trace: 2, id: 2, parent: 1, service: "api", name: "send", kind: ptrace.SpanKindProducer, attributes: message("1")},
		span{trace: 3, id: 1, service: "cron", name: "clean up"},
	)
	for _, tt := range []struct {
		name  string
		query live.Query
		want  []string
	}{
		{name: "all, the worst first, then the last", want: []string{"POST /orders", "clean up", "GET /orders"}},
		{name: "service", query: live.Query{Service: "api"}, want: []string{"POST /orders", "GET /orders"}},
		{name: "destination", query: live.Query{Destination: "kafka orders"}, want: []string{"POST /orders"}},
		{name: "state", query: live.Query{State: live.Fresh}, want: []string{"clean up", "GET /orders"}},
		{name: "text of a name", query: live.Query{Text: " CLEAN"}, want: []string{"clean up"}},
		{name: "text of a channel", query: live.Query{Text: "kafka"}, want: []string{"POST /orders"}},
		{name: "trace id", query: live.Query{Text: traceID(3).String()}, want: []string{"clean up"}},
		{name: "nothing", query: live.Query{Text: "absent"}, want: []string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			list, _ := s.List(tt.query)
			got := make([]string, 0, len(list.Rows))
			for _, row := range list.Rows {
				got = append(got, row.Name)
			}
			if !slices.Equal(got, tt.want) || list.Matching != len(tt.want) {
				t.Errorf("flows %q, and %d match; want %q", got, list.Matching, tt.want)
			}
			if !slices.Equal(list.Services, []string{"api", "cron"}) || !slices.Equal(list.Destinations, []string{"kafka orders"}) {
				t.Errorf("to choose from: %q and %q", list.Services, list.Destinations)
			}
		})
	}
}

// What is saved can be read by the other commands, and loaded again.
func TestStore_Save(t *testing.T) {
	t.Parallel()
	s := live.NewStore(live.Limits{})
	add(t, s,
		span{trace: 1, id: 1, service: "api", name: "send", kind: ptrace.SpanKindProducer, attributes: message("1"), took: time.Second},
		span{trace: 2, id: 1, links: []int{1}, service: "etl", name: "process", kind: ptrace.SpanKindConsumer, failed: true},
		span{trace: 3, id: 1, service: "cron", name: "clean up"},
	)
	var saved bytes.Buffer
	if err := s.Save(&saved); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(saved.String(), "\n"); lines != 2 {
		t.Errorf("%d lines, want one for each flow", lines)
	}
	r, err := (&recording.Reader{Stdin: bytes.NewReader(saved.Bytes())}).Read(t.Context(), recording.Stdin)
	if err != nil || len(r.Spans) != 3 {
		t.Errorf("recording.Read: %d spans, %v", len(r.Spans), err)
	}
	again := live.NewStore(live.Limits{})
	loaded, err := again.Load(t.Context(), bytes.NewReader(saved.Bytes()))
	if err != nil || loaded.Spans != 3 || loaded.Damaged != 0 {
		t.Errorf("Load: %v, %v", loaded, err)
	}
	var second bytes.Buffer
	if err := again.Save(&second); err != nil {
		t.Fatal(err)
	}
	if second.String() != saved.String() {
		t.Errorf("saved again:\n%s\nwant\n%s", &second, &saved)
	}
}

// A recording that is loaded and saved again is the same for the other commands.
func TestStore_Load_KeepsWhatIsRead(t *testing.T) {
	t.Parallel()
	const recorded = `{"resourceSpans":[
{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"api"}}]},"scopeSpans":[{"scope":{"name":"s"},"spans":[
{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060701","name":"send","kind":4,"flags":257,"startTimeUnixNano":"1000","endTimeUnixNano":"2000",
"attributes":[{"key":"messaging.system","value":{"stringValue":"kafka"}},{"key":"n","value":{"intValue":"7"}},{"key":"b","value":{"boolValue":true}},{"key":"f","value":{"doubleValue":0.5}}]}]}]},
{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"etl"}},{"key":"service.instance.id","value":{"stringValue":"i"}},{"key":"k8s.job.name","value":{"stringValue":"load-29"}},{"key":"telemetry.sdk.language","value":{"stringValue":"python"}}]},"scopeSpans":[{"scope":{},"spans":[
{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060702","parentSpanId":"0102030405060701","name":"load","kind":5,"flags":769,"startTimeUnixNano":"1500",
"status":{"code":2,"message":"no disk"},
"links":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060701","flags":256},{"traceId":"0102030405060708090a0b0c0d0e0f11","spanId":"0102030405060703"}]}]}]}]}`
	read := func(text string) []flow.Span {
		r, err := (&recording.Reader{Stdin: strings.NewReader(text)}).Read(t.Context(), recording.Stdin)
		if err != nil {
			t.Fatal(err)
		}
		return r.Spans
	}
	s := live.NewStore(live.Limits{})
	if _, err := s.Load(t.Context(), strings.NewReader(recorded)); err != nil {
		t.Fatal(err)
	}
	var saved bytes.Buffer
	if err := s.Save(&saved); err != nil {
		t.Fatal(err)
	}
	want, got := read(recorded), read(saved.String())
	if len(want) != 2 || !want[1].ParentUnsampled || want[1].Job != "load-29" || want[1].Language != flow.Python {
		t.Fatalf("the recording is read as %+v", want)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b attribute.Value) bool { return a == b })); diff != "" {
		t.Errorf("spans (-recorded +saved)\n%s", diff)
	}
}

func TestStore_Clear(t *testing.T) {
	t.Parallel()
	s := live.NewStore(live.Limits{})
	add(t, s, span{trace: 1, id: 1})
	before := s.CurrentVersion()
	s.Clear()
	if got := s.Totals(); got != (live.Totals{}) || s.CurrentVersion() == before {
		t.Errorf("totals %+v, want none, and another version", got)
	}
	add(t, s, span{trace: 1, id: 1})
	if got := sizes(s); !slices.Equal(got, []int{1}) {
		t.Errorf("flows of %v spans, want 1", got)
	}
}

func TestStore_Concurrent(t *testing.T) {
	t.Parallel()
	s := live.NewStore(live.Limits{Flows: 20, Quiet: time.Nanosecond})
	var work sync.WaitGroup
	for worker := range 8 {
		message := make([][]byte, 50)
		for n := range message {
			message[n] = export(t, span{trace: 1 + n%30, id: worker*1000 + n, links: []int{1 + (n+worker)%40}, service: "api", name: "work"})
		}
		work.Go(func() {
			for _, m := range message {
				if err := s.AddProtobuf(m); err != nil {
					t.Error(err)
				}
				list, _ := s.List(live.Query{})
				for _, row := range list.Rows {
					s.Examine(row.Number, flow.Expectation{})
				}
			}
			_ = s.Save(new(bytes.Buffer))
		})
	}
	work.Wait()
	if got := s.Totals().Received; got != 400 {
		t.Errorf("%d spans were received, want 400", got)
	}
}

func TestStore_NoMessage(t *testing.T) {
	t.Parallel()
	s := live.NewStore(live.Limits{})
	for _, text := range []string{"hello", "\x0a\xff\xff\xff\xff\x0f", "\x0a\x02\x12\x05"} {
		if err := s.AddProtobuf([]byte(text)); err == nil {
			t.Errorf("AddProtobuf(%q) has no error", text)
		}
		if err := s.AddJSON([]byte(text)); err == nil {
			t.Errorf("AddJSON(%q) has no error", text)
		}
	}
}

// Whatever is accepted can be listed, examined and saved.
func FuzzStore_AddProtobuf(f *testing.F) {
	f.Add(export(f, span{trace: 1, id: 1, service: "api", name: "send", kind: ptrace.SpanKindProducer, attributes: message("1"), links: []int{2}}))
	f.Add([]byte("\x0a\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := live.NewStore(live.Limits{})
		if s.AddProtobuf(text) != nil {
			return
		}
		list, _ := s.List(live.Query{})
		spans := 0
		for _, row := range list.Rows {
			spans += row.Spans
			if e, ok := s.Examine(row.Number, flow.Expectation{}); !ok || len(e.Graph.Spans()) > row.Spans {
				t.Errorf("flow %d of %d spans cannot be examined", row.Number, row.Spans)
			}
		}
		if got := s.Totals(); len(list.Rows) < 200 && got.Spans != spans {
			t.Errorf("%d spans, and %d in the list", got.Spans, spans)
		}
		if err := s.Save(new(bytes.Buffer)); err != nil {
			t.Error(err)
		}
	})
}

func TestStore_DeepJSON(t *testing.T) {
	t.Parallel()
	const deep = 1_000
	message := `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"k","value":` +
		strings.Repeat(`{"arrayValue":{"values":[`, deep) + `{"stringValue":"x"}` + strings.Repeat(`]}}`, deep) + `}]}]}]}]}`
	if err := live.NewStore(live.Limits{}).AddJSON([]byte(message)); err == nil || !strings.Contains(err.Error(), "nested too deeply") {
		t.Errorf("error = %v, want that the document is nested too deeply", err)
	}
}
