// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/stages"
)

// gateway is a Pushgateway that gives one answer after the other, the last one
// for good, and keeps what it was asked.
type gateway struct {
	answers []func() (*http.Response, error)

	at       []time.Time
	requests []*http.Request
	pushed   map[string]*dto.MetricFamily // By the last request.
}

func (g *gateway) RoundTrip(request *http.Request) (*http.Response, error) {
	g.at = append(g.at, time.Now())
	g.requests = append(g.requests, request)
	g.pushed = map[string]*dto.MetricFamily{}
	if request.Body != nil { // A redirected request has none.
		for decoder := expfmt.NewDecoder(request.Body, expfmt.ResponseFormat(request.Header)); ; {
			family := &dto.MetricFamily{}
			if decoder.Decode(family) != nil {
				break
			}
			g.pushed[family.GetName()] = family
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

// R28.
func TestPushGoesToItsGroup(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	everything(t, mustNew(t, registry))
	g := &gateway{answers: []func() (*http.Response, error){status(http.StatusAccepted)}}
	p, err := metrics.NewPusher("https://user:secret@gateway/prefix/", "nightly", registry, metrics.WithHTTPClient(&http.Client{Transport: g}),
		metrics.WithGrouping("team", "old"), metrics.WithGrouping("team", "a/b"), metrics.WithGrouping("empty", ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Push(t.Context()); err != nil {
		t.Fatal(err)
	}
	request := g.requests[0]
	user, password, _ := request.BasicAuth()
	got := []string{request.Method, request.URL.String(), user, password}
	// A value with a slash is written in base64.
	want := []string{http.MethodPost, "https://gateway/prefix/metrics/job/nightly/team@base64/YS9i", "user", "secret"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if g.pushed["etl_rows_read_total"].GetMetric()[0].GetCounter().GetValue() != 3 {
		t.Errorf("pushed %v", g.pushed)
	}
}

// R28.
func TestPushTriesAgainWhereItMakesSense(t *testing.T) {
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

// R28.
func TestPushEndsAtItsTimeout(t *testing.T) {
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

func TestPushThatIsRedirectedIsAnError(t *testing.T) {
	t.Parallel()
	login := func() (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {"/login"}}, Body: http.NoBody}, nil
	}
	g := &gateway{answers: []func() (*http.Response, error){login, status(200)}}
	if err := pusherTo(t, g, prometheus.NewRegistry()).Push(t.Context()); err == nil || !strings.Contains(err.Error(), "redirected to http://gateway:9091/login") {
		t.Errorf("Push = %v", err)
	}
}

// R28.
func TestPushOfAFailureKeepsTheLastSuccess(t *testing.T) {
	t.Parallel()
	const success, run = "etl_last_success_timestamp_seconds", "etl_last_run_timestamp_seconds"
	registry := prometheus.NewRegistry()
	p, err := stages.NewPipeline("orders", stages.WithObserver(mustNew(t, registry)))
	if err != nil {
		t.Fatal(err)
	}
	extract, _ := p.Stage("extract")
	load, _ := p.Stage("load")
	g := &gateway{answers: []func() (*http.Response, error){status(200)}}
	pusher := pusherTo(t, g, registry)
	pushed := func(of string, want bool) {
		t.Helper()
		if err := pusher.Push(t.Context()); err != nil {
			t.Error(err)
		}
		if _, got := g.pushed[of]; got != want {
			t.Errorf("%s was pushed: %t, want %t", of, got, want)
		}
	}

	pushed(success, false)
	_ = extract.Run(t.Context(), func(context.Context) error { return nil })
	pushed(success, true)
	_ = load.Run(t.Context(), func(context.Context) error { pushed(success, false); return errBoom })
	pushed(success, false)
	pushed(run, true)
	_ = load.Run(t.Context(), func(context.Context) error { return nil })
	pushed(success, true)
}

func TestPushOfWhatCannotBeGathered(t *testing.T) {
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

// R28.
func TestNewPusherRefusesWhatCannotBePushed(t *testing.T) {
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

func TestPushErrorsHoldNoPassword(t *testing.T) {
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

func TestNilPusherPushesNothing(t *testing.T) {
	t.Parallel()
	var p *metrics.Pusher
	if err := p.Push(t.Context()); err != nil {
		t.Error(err)
	}
}
