// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

// gateway is a Pushgateway that gives one answer after the other, the last one
// for good, and keeps what it was asked.
type gateway struct {
	answers []func() (*http.Response, error)

	at       []time.Time
	requests []*http.Request
	pushed   map[string]int      // Series by name.
	groups   map[string][]string // Names by path.
}

func (g *gateway) RoundTrip(request *http.Request) (*http.Response, error) {
	g.at = append(g.at, time.Now())
	g.requests = append(g.requests, request)
	if g.pushed == nil {
		g.pushed, g.groups = map[string]int{}, map[string][]string{}
	}
	if request.Body != nil { // A redirected request has none.
		for decoder := expfmt.NewDecoder(request.Body, expfmt.ResponseFormat(request.Header)); ; {
			family := &dto.MetricFamily{}
			if decoder.Decode(family) != nil {
				break
			}
			g.pushed[family.GetName()] += len(family.GetMetric())
			g.groups[request.URL.Path] = append(g.groups[request.URL.Path], family.GetName())
		}
	}
	response, err := g.answers[min(len(g.requests), len(g.answers))-1]()
	if response != nil {
		response.Request = request
	}
	return response, err
}

func status(code int) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("no room"))}, nil
	}
}

func unreachable() (*http.Response, error) { return nil, errBoom }

// pusherTo makes a pusher of gatherer to g.
func pusherTo(t testing.TB, g *gateway, gatherer prometheus.Gatherer, opts ...metrics.PusherOption) *metrics.Pusher {
	t.Helper()
	p, err := metrics.NewPusher("http://gateway:9091", "nightly", gatherer, append([]metrics.PusherOption{
		nil, metrics.WithHTTPClient(&http.Client{Transport: g}),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPusher_Groups(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := mustNew(t, registry)
	everything(t, m)
	stages.Must(stages.Must(stages.NewPipeline("Bestände 2", stages.WithObserver(m))).Stage("a/b"))
	theirs := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "theirs_total", Help: "x"}, []string{"pipeline", "operation"})
	theirs.WithLabelValues("a", "b").Inc()
	registry.MustRegister(theirs)
	g := &gateway{answers: []func() (*http.Response, error){status(http.StatusAccepted)}}
	p, err := metrics.NewPusher("https://user:secret@gateway/prefix/", "nightly", registry, metrics.WithHTTPClient(&http.Client{Transport: g}),
		metrics.WithGrouping("team", "old"), metrics.WithGrouping("team", "a/b"), metrics.WithGrouping("empty", ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Push(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, request := range g.requests {
		user, password, _ := request.BasicAuth()
		if request.Method != http.MethodPost || user != "user" || password != "secret" {
			t.Errorf("%s as %q, %q, want a POST as user, secret", request.Method, user, password)
		}
		path, ok := strings.CutPrefix(request.URL.String(), "https://gateway/prefix/metrics/job/nightly/team@base64/YS9i") // A value with a slash is in base64.
		if !ok {
			t.Errorf("pushed to %s", request.URL)
		}
		got = append(got, path)
	}
	slices.Sort(got[1:])
	want := []string{
		"", "/collection/orders", "/destination/orders", "/destination/orders.raw/carrier/kafka", "/destination/orders/carrier/mongodb", "/reason/negative",
		"/pipeline/orders/stage/load", "/pipeline@base64/QmVzdMOkbmRlIDI/stage@base64/YS9i",
		"/topic/orders.raw", "/topic/orders.raw/direction/in", "/topic/orders.raw/direction/out", "/topic/orders.raw/operation/send",
		"/destination/orders.raw",
	}
	slices.Sort(want[1:])
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("groups (-want +got)\n%s", diff)
	}
	// Whatever else of ours is in the group of the job, another program erases.
	base := g.groups[g.requests[0].URL.Path]
	if diff := cmp.Diff([]string{"etl_memory_bytes", "etl_memory_limit_bytes", "etl_telemetry_label_overflow_total", "theirs_total"}, base); diff != "" {
		t.Errorf("metrics of the job (-want +got)\n%s", diff)
	}
	for name, want := range map[string]int{"etl_rows_read_total": 1, "etl_processing_seconds": 4, "theirs_total": 1, "etl_memory_bytes": 1, "etl_queue_rows": 1, "etl_queue_capacity_rows": 1, "etl_blocked_seconds_total": 1, "etl_checks_total": 2, "etl_kafka_lag_messages": 0, "etl_kafka_last_fetch_timestamp_seconds": 0} {
		if got := g.pushed[name]; got != want {
			t.Errorf("%d series of %s were pushed, want %d", got, name, want)
		}
	}
}

// A run that is cut short is pushed with its outcome, and without a success.
func TestPusher_RunThatIsCutShort(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		fn   func(ctx context.Context, terminate func()) error
		want string // The outcome.
	}{
		{name: "error", fn: func(context.Context, func()) error { return errBoom }, want: "failure"},
		{name: "panic", fn: func(context.Context, func()) error { panic(errBoom) }, want: "panic"},
		{name: "Goexit", fn: func(context.Context, func()) error { runtime.Goexit(); return nil }, want: "cancelled"},
		{name: "SIGTERM", fn: func(ctx context.Context, terminate func()) error { terminate(); return ctx.Err() }, want: "cancelled"},
		{name: "deadline", fn: func(ctx context.Context, _ func()) error {
			ctx, cancel := context.WithDeadline(ctx, time.Unix(0, 0))
			defer cancel()
			return ctx.Err()
		}, want: "failure"}, // Of a context of its own.
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewRegistry()
			g := &pushgateway{}
			pusher := pusherTo(t, nil, registry, metrics.WithHTTPClient(g.client()))
			p := stages.Must(stages.NewPipeline("orders", stages.WithObserver(mustNew(t, registry)), stages.WithoutSpans()))
			ctx, terminate := context.WithCancel(t.Context()) // As signal.NotifyContext does.
			defer terminate()
			var run sync.WaitGroup
			run.Go(func() {
				defer func() { _ = recover() }()
				_ = p.Run(ctx, func(ctx context.Context) error { return tt.fn(ctx, terminate) }, stages.WithFlush(pusher.Push))
			})
			run.Wait()
			var got []string
			for _, line := range g.series(t, "etl_processing_seconds", "etl_last_success") {
				if !strings.HasSuffix(line, " 0") {
					got = append(got, line)
				}
			}
			want := []string{fmt.Sprintf(`etl_processing_seconds{outcome=%q,pipeline="orders"} 1`, tt.want)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("pushed (-want +got)\n%s", diff)
			}
		})
	}
}

// A run that fails, or has nothing to do, must not silence the alert on the age of
// the last success.
func TestPusher_KeepsTheLastSuccess(t *testing.T) {
	t.Parallel()
	const lastSuccess = "etl_last_success_timestamp_seconds"
	succeed := func(context.Context) error { return nil }
	fail := func(context.Context) error { return errBoom }
	type program struct {
		pipeline string
		stages   map[string]func(context.Context) error // Nil for a stage that does not start.
	}
	for _, tt := range []struct {
		name     string
		programs []program
		want     []string
	}{
		{
			name: "a stage that does not start",
			programs: []program{
				{pipeline: "orders", stages: map[string]func(context.Context) error{"extract": succeed, "load": succeed}},
				{pipeline: "orders", stages: map[string]func(context.Context) error{"extract": succeed, "load": nil}},
			},
			want: []string{`{pipeline="orders",stage="extract"} 2`, `{pipeline="orders",stage="load"} 1`, `{pipeline="orders"} 2`},
		},
		{
			name: "a stage that is not made",
			programs: []program{
				{pipeline: "orders", stages: map[string]func(context.Context) error{"extract": succeed, "load": succeed}},
				{pipeline: "orders", stages: map[string]func(context.Context) error{"extract": succeed}},
			},
			want: []string{`{pipeline="orders",stage="extract"} 2`, `{pipeline="orders",stage="load"} 1`, `{pipeline="orders"} 2`},
		},
		{
			name: "a stage that fails",
			programs: []program{
				{pipeline: "orders", stages: map[string]func(context.Context) error{"extract": succeed, "load": succeed}},
				{pipeline: "orders", stages: map[string]func(context.Context) error{"extract": succeed, "load": fail}},
			},
			want: []string{`{pipeline="orders",stage="extract"} 2`, `{pipeline="orders",stage="load"} 1`, `{pipeline="orders"} 1`},
		},
		{
			name: "two programs of one job",
			programs: []program{
				{pipeline: "orders", stages: map[string]func(context.Context) error{"load": succeed}},
				{pipeline: "customers", stages: map[string]func(context.Context) error{"load": succeed}},
			},
			want: []string{
				`{pipeline="customers",stage="load"} 2`, `{pipeline="customers"} 2`, `{pipeline="orders",stage="load"} 1`, `{pipeline="orders"} 1`,
			},
		},
		{
			name: "two programs of one pipeline",
			programs: []program{
				{pipeline: "orders", stages: map[string]func(context.Context) error{"extract": succeed}},
				{pipeline: "orders", stages: map[string]func(context.Context) error{"load": fail}},
			},
			want: []string{`{pipeline="orders",stage="extract"} 1`, `{pipeline="orders"} 1`},
		},
		{
			name: "a success after a failure",
			programs: []program{
				{pipeline: "orders", stages: map[string]func(context.Context) error{"load": fail}},
				{pipeline: "orders", stages: map[string]func(context.Context) error{"load": succeed}},
			},
			want: []string{`{pipeline="orders",stage="load"} 2`, `{pipeline="orders"} 2`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				g := &pushgateway{}
				for _, program := range tt.programs {
					time.Sleep(time.Second) // Program n ends n seconds after the start.
					registry := prometheus.NewRegistry()
					p := stages.Must(stages.NewPipeline(program.pipeline, stages.WithObserver(mustNew(t, registry)), stages.WithoutSpans()))
					pusher, err := metrics.NewPusher("gateway", "nightly", registry, metrics.WithHTTPClient(g.client()))
					if err != nil {
						t.Fatal(err)
					}
					_ = p.Run(t.Context(), func(ctx context.Context) error {
						var err error
						for name, fn := range program.stages {
							if s := stages.Must(p.Stage(name)); fn != nil {
								err = errors.Join(err, s.Run(ctx, fn))
							}
						}
						if pushed := pusher.Push(ctx); pushed != nil { // While the run continues.
							t.Error(pushed)
						}
						return err
					}, stages.WithFlush(func(ctx context.Context) error {
						if err := pusher.Push(ctx); err != nil {
							t.Error(err)
						}
						return nil
					}))
				}
				var got []string
				for _, series := range g.series(t, lastSuccess) {
					labels, value, _ := strings.Cut(strings.TrimPrefix(series, lastSuccess), " ")
					seconds, err := strconv.ParseFloat(value, 64)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, fmt.Sprintf("%s %v", labels, seconds-float64(start.Unix())))
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("times of the last success (-want +got)\n%s", diff)
				}
			})
		})
	}
}

// Two programs of one job keep each other's series, whatever they measure.
func TestPusher_ProgramsOfOneJob(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	g := &pushgateway{}
	push := func(feed func(*metrics.Metrics)) {
		t.Helper()
		registry := prometheus.NewRegistry()
		feed(mustNew(t, registry, metrics.WithoutClassicBuckets()))
		pusher, err := metrics.NewPusher("gateway", "nightly", registry, metrics.WithHTTPClient(g.client()))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := pusher.Push(ctx); err != nil {
				t.Error(err)
			}
		}
	}
	push(func(m *metrics.Metrics) { // Writes orders.clean, from a collection.
		kafkaEvents{m: m, topic: "orders.clean"}.sent(0, 7, 70)
		kafkaEvents{m: m, topic: "orders.clean"}.failed("send", "timeout")
		m.Processed(ctx, observe.Process{System: observe.SystemMongoDB, Destination: "orders", Messages: 7})
		m.Arrived(ctx, observe.Arrival{System: observe.SystemMongoDB, Destination: "orders", Hop: time.Second, EndToEnd: time.Second})
		m.Dropped(observe.Drop{Reason: observe.DropNoWaybill})
		kafkaEvents{m: m}.failed("send", "timeout") // Of several topics.
	})
	push(func(m *metrics.Metrics) { // Reads orders.clean, in another program.
		kafkaEvents{m: m, topic: "orders.clean"}.fetched(0, 10, 3, time.Second)
		kafkaEvents{m: m, topic: "orders.clean"}.failed("poll", "eof")
		m.Processed(ctx, observe.Process{System: observe.SystemMongoDB, Destination: "customers", Messages: 3})
		m.Arrived(ctx, observe.Arrival{System: observe.SystemKafka, Destination: "orders.clean", Hop: time.Second, EndToEnd: time.Second})
		m.Dropped(observe.Drop{Reason: observe.DropSkew})
		kafkaEvents{m: m}.failed("poll", "eof")
	})
	got := g.series(t, "etl_kafka_messages", "etl_kafka_errors", "etl_kafka_lag", "etl_kafka_last", "etl_mongodb_documents", "etl_hop", "etl_end_to_end", "etl_telemetry_dropped")
	if diff := cmp.Diff([]string{
		`etl_end_to_end_seconds{destination="orders"} 1`,
		`etl_end_to_end_seconds{destination="orders.clean"} 1`,
		`etl_hop_seconds{carrier="kafka",destination="orders.clean"} 1`,
		`etl_hop_seconds{carrier="mongodb",destination="orders"} 1`,
		`etl_kafka_errors_total{error_type="eof",operation="poll",topic="orders.clean"} 1`,
		`etl_kafka_errors_total{error_type="eof",operation="poll"} 1`,
		`etl_kafka_errors_total{error_type="timeout",operation="send",topic="orders.clean"} 1`,
		`etl_kafka_errors_total{error_type="timeout",operation="send"} 1`,
		`etl_kafka_messages_total{direction="in",partition="0",topic="orders.clean"} 1`,
		`etl_kafka_messages_total{direction="out",partition="0",topic="orders.clean"} 7`,
		`etl_mongodb_documents_total{collection="customers",outcome="failure"} 0`,
		`etl_mongodb_documents_total{collection="customers",outcome="success"} 3`,
		`etl_mongodb_documents_total{collection="orders",outcome="failure"} 0`,
		`etl_mongodb_documents_total{collection="orders",outcome="success"} 7`,
		`etl_telemetry_dropped_total{reason="clock_skew"} 1`,
		`etl_telemetry_dropped_total{reason="no_waybill"} 1`,
	}, got); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}

func TestPusher_ConcurrentUse(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	everything(t, mustNew(t, registry))
	g := &pushgateway{}
	pusher, err := metrics.NewPusher("gateway", "nightly", registry, metrics.WithHTTPClient(g.client()))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if err := pusher.Push(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestPusher_Retries(t *testing.T) {
	t.Parallel()
	slow := func() (*http.Response, error) { time.Sleep(4 * time.Second); return nil, errBoom }
	for name, tt := range map[string]struct {
		answers []func() (*http.Response, error)
		opts    []metrics.PusherOption
		want    []time.Duration // When each attempt is made.
		err     string
	}{
		"success":            {[]func() (*http.Response, error){status(200)}, nil, []time.Duration{0}, ""},
		"a failed server":    {[]func() (*http.Response, error){status(503), status(202)}, nil, []time.Duration{0, 100 * time.Millisecond}, ""},
		"an unreachable one": {[]func() (*http.Response, error){unreachable}, nil, []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond}, "boom"},
		"a refusal":          {[]func() (*http.Response, error){status(400)}, nil, []time.Duration{0}, "no room"},
		"without retries":    {[]func() (*http.Response, error){status(500)}, []metrics.PusherOption{metrics.WithPushRetries(0)}, []time.Duration{0}, "500"},
		"the default":        {[]func() (*http.Response, error){status(500)}, []metrics.PusherOption{metrics.WithPushRetries(-1), metrics.WithPushTimeout(0)}, []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond}, "500"},
		"no time left":       {[]func() (*http.Response, error){slow}, nil, []time.Duration{0, 4100 * time.Millisecond}, "boom"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := &gateway{answers: tt.answers}
				ctx, cancel := context.WithCancel(t.Context())
				cancel() // The end of the run that is pushed.
				start := time.Now()
				err := pusherTo(t, g, prometheus.NewRegistry(), tt.opts...).Push(ctx)
				if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
					t.Errorf("Push = %v, want %q", err, tt.err)
				}
				var got []time.Duration
				for _, at := range g.at {
					got = append(got, at.Sub(start))
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("attempts (-want +got)\n%s", diff)
				}
			})
		})
	}
}

func TestPusher_Timeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hangs := &http.Client{Transport: transportFunc(func(request *http.Request) (*http.Response, error) {
			<-request.Context().Done()
			return nil, request.Context().Err()
		})}
		start := time.Now()
		err := pusherTo(t, nil, prometheus.NewRegistry(), metrics.WithHTTPClient(hangs), metrics.WithPushTimeout(time.Second)).Push(nil) //nolint:staticcheck // A nil ctx is documented.
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Push = %v after %v", err, time.Since(start))
		}
	})
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func TestPusher_Redirect(t *testing.T) {
	t.Parallel()
	login := func() (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {"/login"}}, Body: http.NoBody}, nil
	}
	g := &gateway{answers: []func() (*http.Response, error){login, status(200)}}
	if err := pusherTo(t, g, prometheus.NewRegistry()).Push(t.Context()); err == nil || !strings.Contains(err.Error(), "redirected to http://gateway:9091/login") {
		t.Errorf("Push = %v", err)
	}
}

func TestPusher_GathererThatFails(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	mustNew(t, registry)
	gathered, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		gatherer prometheus.GathererFunc
		pushes   int
	}{
		"in part":    {func() ([]*dto.MetricFamily, error) { return gathered, errBoom }, 1},
		"at all":     {func() ([]*dto.MetricFamily, error) { return nil, errBoom }, 0},
		"in a panic": {func() ([]*dto.MetricFamily, error) { panic(errBoom) }, 0},
	} {
		g := &gateway{answers: []func() (*http.Response, error){status(200)}}
		if err := pusherTo(t, g, tt.gatherer).Push(t.Context()); !errors.Is(err, errBoom) || len(g.requests) != tt.pushes {
			t.Errorf("%s: Push = %v, %d pushes, want %d", name, err, len(g.requests), tt.pushes)
		}
	}
}

func TestNewPusher_InvalidArguments(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	for name, make := range map[string]func() (*metrics.Pusher, error){
		"no gateway":         func() (*metrics.Pusher, error) { return metrics.NewPusher("", "job", registry) },
		"a malformed one":    func() (*metrics.Pusher, error) { return metrics.NewPusher("http://u:secret@ho st", "job", registry) },
		"another scheme":     func() (*metrics.Pusher, error) { return metrics.NewPusher("ftp://u:secret@host", "job", registry) },
		"a query":            func() (*metrics.Pusher, error) { return metrics.NewPusher("http://u:secret@host?x=1", "job", registry) },
		"no job":             func() (*metrics.Pusher, error) { return metrics.NewPusher("host", "", registry) },
		"a job of two words": func() (*metrics.Pusher, error) { return metrics.NewPusher("host", "a b", registry) },
		"a binary job":       func() (*metrics.Pusher, error) { return metrics.NewPusher("host", "\xff", registry) },
		"no gatherer":        func() (*metrics.Pusher, error) { return metrics.NewPusher("host", "job", nil) },
		"a nil registry":     func() (*metrics.Pusher, error) { return metrics.NewPusher("host", "job", (*prometheus.Registry)(nil)) },
	} {
		if p, err := make(); p != nil || err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: NewPusher = %v, %v", name, p, err)
		}
	}
	for _, name := range []string{
		"", "job", "pipeline", "le", "__x", "a-b", "instance", "pod", "pod_name", "pid", "uid", "uuid", "attempt", "trace_id", "span_id",
		"execution_id", "run", "run_id", "dag_run", "RunID",
	} {
		if p, err := metrics.NewPusher("host", "job", registry, metrics.WithGrouping(name, "1")); p != nil || err == nil {
			t.Errorf("grouping by %q: NewPusher = %v, %v", name, p, err)
		}
	}
	for _, value := range []string{"a b", ".", "..", "\xff"} {
		if p, err := metrics.NewPusher("host", "job", registry, metrics.WithGrouping("team", value)); p != nil || err == nil {
			t.Errorf("grouping by team %q: NewPusher = %v, %v", value, p, err)
		}
	}
}

// A label that all metrics have would be replaced by the gateway.
func TestNewPusher_LabelOfTheMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := mustNew(t, registry, metrics.WithConstLabels(map[string]string{"team": "data"}))
	if p, err := metrics.NewPusher("host", "nightly", registry, metrics.WithGrouping("team", "data")); p != nil || err == nil || !strings.Contains(err.Error(), `"team"`) {
		t.Errorf("NewPusher = %v, %v, want an error that names team", p, err)
	}
	wrapped := prometheus.NewRegistry()
	mustNew(t, prometheus.WrapRegistererWith(prometheus.Labels{"job": "x"}, wrapped))
	if p, err := metrics.NewPusher("host", "nightly", wrapped); p != nil || err == nil || !strings.Contains(err.Error(), `"job"`) {
		t.Errorf("NewPusher = %v, %v, want an error that names job", p, err)
	}
	// What comes later is found by the push.
	empty := prometheus.NewRegistry()
	g := &pushgateway{}
	p, err := metrics.NewPusher("host", "nightly", empty, metrics.WithGrouping("team", "data"), metrics.WithHTTPClient(g.client()))
	if err != nil {
		t.Fatal(err)
	}
	empty.MustRegister(m)
	if err := p.Push(t.Context()); err == nil || !strings.Contains(err.Error(), `"team"`) || g.requests != 0 {
		t.Errorf("Push = %v after %d requests, want an error that names team after 0", err, g.requests)
	}
}

// One group that is refused does not keep the others from being pushed.
func TestPusher_RefusedGroup(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	everything(t, mustNew(t, registry))
	g := &gateway{answers: []func() (*http.Response, error){status(403), status(503), status(403), status(202)}}
	synctest.Test(t, func(t *testing.T) {
		err := pusherTo(t, g, registry).Push(t.Context())
		if err == nil || strings.Count(err.Error(), "no room") != 2 {
			t.Errorf("Push = %v, want two refusals", err)
		}
		if len(g.requests) != 12+1 || g.requests[1].URL.Path != g.requests[2].URL.Path {
			t.Errorf("%d requests, want one for each of 12 groups and one again", len(g.requests))
		}
	})
}

// A metric of someone else's that a gateway refuses does not keep the others from
// being pushed.
func TestPusher_ForeignMetrics(t *testing.T) {
	t.Parallel()
	const age = "theirs_age_seconds"
	with := func(labels prometheus.Labels) prometheus.Collector {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: age, Help: "x"}, slices.Collect(maps.Keys(labels)))
		g.With(labels).Set(1)
		return g
	}
	stamped := collectorFunc(func(metrics chan<- prometheus.Metric) {
		desc := prometheus.NewDesc(age, "x", nil, nil)
		metrics <- prometheus.NewMetricWithTimestamp(time.Unix(1, 0), prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, 1))
	})
	for _, tt := range []struct {
		name    string
		foreign prometheus.Collector
		gateway *pushgateway
		opts    []metrics.PusherOption
		want    string
	}{
		{name: "the label job", foreign: with(prometheus.Labels{"job": "x"}), want: age + ` has the grouping label "job"`},
		{name: "a grouping label", foreign: with(prometheus.Labels{"team": "x"}), opts: []metrics.PusherOption{metrics.WithGrouping("team", "data")}, want: age + ` has the grouping label "team"`},
		{name: "a timestamp", foreign: stamped, want: age + " has a timestamp"},
		{name: "another type than the gateway holds", foreign: with(nil), gateway: &pushgateway{types: map[string]dto.MetricType{age: dto.MetricType_COUNTER}}, want: age + ": the gateway answered 400"},
		{name: "a limit of the size", foreign: with(prometheus.Labels{"long": strings.Repeat("x", 5000)}), gateway: &pushgateway{limit: 5000}, want: age + ": the gateway answered 413"},
		{name: "what looks like a metric of ours", foreign: stampedCounter("theirs_errors_total"), want: "theirs_errors_total has a timestamp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewRegistry()
			registry.MustRegister(tt.foreign)
			for i := range 20 {
				registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: fmt.Sprintf("theirs_%c_rows", 'a'+i), Help: "x"}))
			}
			g := tt.gateway
			if g == nil {
				g = &pushgateway{}
			}
			pusher := pusherTo(t, nil, registry, append(tt.opts, metrics.WithHTTPClient(g.client()))...)
			if err := newStage(t, mustNew(t, registry)).Run(t.Context(), func(context.Context) error { return nil }); err != nil {
				t.Fatal(err)
			}
			err := pusher.Push(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "_rows") {
				t.Errorf("Push = %v, want %q alone", err, tt.want)
			}
			if got := g.series(t, "etl_last_success", "etl_memory", "etl_telemetry_label"); len(got) != 1+2+9 {
				t.Errorf("%d series of ours arrived, want 12: %v", len(got), got)
			}
			if got := g.series(t, "theirs_"); len(got) != 20 {
				t.Errorf("%d other series arrived, want 20: %v", len(got), got)
			}
			if g.requests > 16 {
				t.Errorf("%d requests, want a few", g.requests)
			}
		})
	}
}

// A foreign metric that cannot be pushed is no reason to have no pusher.
func TestNewPusher_LabelOfAForeignMetric(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	mustNew(t, registry)
	foreign := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "spark_memory_bytes", Help: "x"}, []string{"job"})
	foreign.WithLabelValues("x").Set(1)
	registry.MustRegister(foreign)
	if p, err := metrics.NewPusher("host", "nightly", registry); p == nil || err != nil {
		t.Errorf("NewPusher = %v, %v", p, err)
	}
}

// The requests and the text of the error are bounded, whatever is refused.
func TestPusher_GatewayThatRefusesAll(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	for i := range 1000 {
		registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: fmt.Sprintf("theirs_%d_rows", i), Help: "x"}))
	}
	g := &gateway{answers: []func() (*http.Response, error){status(400)}}
	err := pusherTo(t, g, registry).Push(t.Context())
	if err == nil || len(err.Error()) > 3000 || !strings.Contains(err.Error(), "more") {
		t.Errorf("Push = %v", err)
	}
	if len(g.requests) != 1+2*64 {
		t.Errorf("%d requests, want one and two for each of 64 halvings", len(g.requests))
	}
}

// A gatherer of someone else's may return anything.
func TestPusher_MalformedFamilies(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	huge := math.MaxFloat64
	families := []*dto.MetricFamily{
		nil,
		{},
		{Name: new("nil_rows"), Metric: []*dto.Metric{nil, {Label: []*dto.LabelPair{nil, {}}}}},
		{Name: new("bytes\xff"), Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: &nan}}}},
		{Name: new("ok_rows"), Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: &huge}}}},
	}
	g := &pushgateway{}
	gatherer := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
	if err := pusherTo(t, nil, gatherer, metrics.WithHTTPClient(g.client())).Push(t.Context()); err != nil {
		t.Log(err)
	}
	if got := g.series(t, "ok_rows"); len(got) != 1 {
		t.Errorf("series = %v, want ok_rows", got)
	}
}

func TestPusher_Deadline(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		ctx  func(context.Context) (context.Context, context.CancelFunc)
		want time.Duration
	}{
		{name: "a deadline", ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, want: time.Second},
		{name: "a late one", ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Hour)
		}, want: 5 * time.Second},
		{name: "one that has passed", ctx: func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, -1) }, want: 5 * time.Second},
		{name: "canceled while it pushes", ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, want: 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				hangs := &http.Client{Transport: transportFunc(func(request *http.Request) (*http.Response, error) {
					<-request.Context().Done()
					return nil, request.Context().Err()
				})}
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				start := time.Now()
				err := pusherTo(t, nil, prometheus.NewRegistry(), metrics.WithHTTPClient(hangs)).Push(ctx)
				if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != tt.want {
					t.Errorf("Push = %v after %v, want after %v", err, took, tt.want)
				}
			})
		})
	}
}

type collectorFunc func(chan<- prometheus.Metric)

func (f collectorFunc) Describe(chan<- *prometheus.Desc)           {}
func (f collectorFunc) Collect(collected chan<- prometheus.Metric) { f(collected) }

func stampedCounter(name string) prometheus.Collector {
	return collectorFunc(func(metrics chan<- prometheus.Metric) {
		desc := prometheus.NewDesc(name, "x", []string{"pipeline", "stage"}, nil)
		counter := prometheus.MustNewConstMetric(desc, prometheus.CounterValue, 1, "orders", "load")
		metrics <- prometheus.NewMetricWithTimestamp(time.Unix(1, 0), counter)
	})
}

// What a gateway answers may be a page, or meant for the terminal.
func TestPusher_AnswerOfTheGateway(t *testing.T) {
	t.Parallel()
	answers := func(code int, text string) func() (*http.Response, error) {
		return func() (*http.Response, error) {
			return &http.Response{StatusCode: code, Status: text, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text))}, nil
		}
	}
	for _, tt := range []struct {
		name   string
		answer func() (*http.Response, error)
		want   string
	}{
		{name: "control characters", answer: answers(400, "a\r\nb\x1b[31mc\x00d\u202ee"), want: `metrics: push: the gateway answered 400: a\r\nb\x1b[31mc\x00d\u202ee`},
		{name: "not UTF-8", answer: answers(400, "a\xff"), want: "metrics: push: the gateway answered 400: a\uFFFD"},
		{name: "long", answer: answers(400, strings.Repeat("x", 5<<20)), want: "metrics: push: the gateway answered 400: " + strings.Repeat("x", 256)},
		{name: "empty", answer: answers(404, ""), want: "metrics: push: the gateway answered 404: "},
		{name: "another success", answer: answers(204, ""), want: "metrics: push: the gateway answered 204: "},
		{name: "an error with the words of the gateway", answer: func() (*http.Response, error) {
			return nil, errors.New("malformed header: \x1b[2J\r\n" + strings.Repeat("\r", 5000))
		}, want: `metrics: push: Post "http://gateway:9091/metrics/job/nightly": malformed header: \x1b[2J\r\n\r`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := &gateway{answers: []func() (*http.Response, error){tt.answer}}
			err := pusherTo(t, g, prometheus.NewRegistry(), metrics.WithPushRetries(0)).Push(t.Context())
			if err == nil {
				t.Fatal("Push = nil, want an error")
			}
			text := err.Error()
			if !strings.HasPrefix(text, tt.want) || strings.ContainsFunc(text, unicode.IsControl) || len(text) > 600 {
				t.Errorf("Push = %q, want %q", text, tt.want)
			}
		})
	}
}

func TestPusher_ErrorsHoldNoPassword(t *testing.T) {
	t.Parallel()
	p, err := metrics.NewPusher("http://user:secret@gateway", "job", prometheus.NewRegistry(), metrics.WithPushRetries(0),
		metrics.WithHTTPClient(&http.Client{Transport: transportFunc(func(*http.Request) (*http.Response, error) { return nil, errBoom })}))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Push(t.Context()); !errors.Is(err, errBoom) || strings.Contains(fmt.Sprint(err), "secret") {
		t.Errorf("Push = %v", err)
	}
}

func TestPusher_Nil(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*metrics.Pusher{"nil": nil, "zero": {}} {
		if err := p.Push(t.Context()); err != nil {
			t.Errorf("Push of a %s pusher = %v, want nil", name, err)
		}
	}
}

// A gateway finds the names of pipelines and stages in the path of a group,
// whatever they are.
func FuzzPusher_Group(f *testing.F) {
	f.Add("orders", "load")
	f.Add("Bestände 2", "a/b")
	f.Add(".", "..")
	f.Add("100%", "a+b?c#d=e&f@base64")
	f.Fuzz(func(t *testing.T, pipeline, stage string) {
		registry := prometheus.NewRegistry()
		p, err := stages.NewPipeline(pipeline, stages.WithObserver(mustNew(t, registry)))
		if err != nil {
			return // Not a name.
		}
		if _, err := p.Stage(stage); err != nil {
			return // Not a name.
		}
		g := &pushgateway{}
		if err := pusherTo(t, nil, registry, metrics.WithHTTPClient(g.client())).Push(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("etl_in_flight{pipeline=%q,stage=%q} 0", pipeline, stage)
		if got := g.series(t, "etl_in_flight"); len(got) != 1 || got[0] != want {
			t.Errorf("series = %v, want %s", got, want)
		}
		if got := g.series(t, "push_time_seconds"); len(got) != 2 {
			t.Errorf("groups = %v, want that of the job and that of the stage", got)
		}
	})
}
