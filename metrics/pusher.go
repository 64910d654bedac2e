// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
	dto "github.com/prometheus/client_model/go"

	"github.com/waybill-go/waybill/stages"
)

// The limits of a push. The timeout is below that of the flush of a run, so
// that it is the push that says what went wrong.
const (
	defaultPushTimeout = 5 * time.Second
	defaultPushRetries = 2
	firstRetryDelay    = 100 * time.Millisecond
	maxRetryDelay      = 5 * time.Second
	maxAnswerBytes     = 1 << 10 // Of an answer that becomes the text of an error.
)

// Pusher pushes metrics to a Prometheus Pushgateway, for a process that ends
// before it is scraped. It is made by [NewPusher] and safe for concurrent use;
// pushes that run at the same time may arrive in any order. A nil *Pusher
// pushes nothing.
type Pusher struct {
	gateway  string
	user     *url.Userinfo // Nil without.
	job      string
	grouping map[string]string // Read only.
	gatherer prometheus.Gatherer
	config   pusherConfig
}

// PusherOption configures [NewPusher].
type PusherOption interface {
	apply(pusherConfig) pusherConfig
}

type pusherConfig struct {
	grouping []grouping
	timeout  time.Duration
	retries  int
	client   *http.Client
}

// grouping is a label that the metrics of a push are grouped by.
type grouping struct{ name, value string }

type pusherOptionFunc func(pusherConfig) pusherConfig

func (f pusherOptionFunc) apply(c pusherConfig) pusherConfig { return f(c) }

// WithGrouping adds a label to the key of the group that is pushed. It may be
// given many times; the last of the same name wins, and one with an empty value
// is left out, as Prometheus has no empty labels.
//
// A Pushgateway keeps a group until someone deletes it. So [NewPusher] refuses
// names that say there is a value for each process or run: instance, pod,
// pod_name, pid, uid, uuid, attempt, trace_id, span_id, execution_id, and those
// that end with run or run_id. It also refuses job, the labels of the metrics of
// this package, and names that are not of the classic alphabet.
func WithGrouping(name, value string) PusherOption {
	return pusherOptionFunc(func(c pusherConfig) pusherConfig {
		c.grouping = append(slices.Clip(c.grouping), grouping{name, value})
		return c
	})
}

// WithPushTimeout sets the time that one [Pusher.Push] has for all its attempts.
// The default, also of a d of zero or less, is 5 seconds.
func WithPushTimeout(d time.Duration) PusherOption {
	return pusherOptionFunc(func(c pusherConfig) pusherConfig {
		c.timeout = d
		if d <= 0 {
			c.timeout = defaultPushTimeout
		}
		return c
	})
}

// WithPushRetries sets how often a [Pusher.Push] tries again. The default, also
// of an n below zero, is 2.
func WithPushRetries(n int) PusherOption {
	return pusherOptionFunc(func(c pusherConfig) pusherConfig {
		c.retries = n
		if n < 0 {
			c.retries = defaultPushRetries
		}
		return c
	})
}

// WithHTTPClient sets the client that pushes, for a proxy, certificates or
// credentials of your own. The default, also of a nil client, is
// [http.DefaultClient] at the time of the push.
func WithHTTPClient(client *http.Client) PusherOption {
	return pusherOptionFunc(func(c pusherConfig) pusherConfig {
		c.client = client
		return c
	})
}

// NewPusher makes a pusher of the metrics of gatherer to the Pushgateway at
// gateway: a URL without the path from /metrics on, or a host and a port. The
// name and the password of the URL, if any, are sent as basic authentication and
// stand in no error.
//
// The metrics go to the group of the job and of the labels of [WithGrouping].
// The error says which of the arguments cannot be pushed: a URL or a job that is
// empty or invalid, a nil gatherer, or a label. A job or a value must be UTF-8,
// without spaces, which the client library turns into plus signs.
func NewPusher(gateway, job string, gatherer prometheus.Gatherer, opts ...PusherOption) (*Pusher, error) {
	c := pusherConfig{timeout: defaultPushTimeout, retries: defaultPushRetries}
	for _, opt := range opts {
		if opt != nil {
			c = opt.apply(c)
		}
	}
	address, user, err := parseGateway(gateway)
	if err != nil {
		return nil, err
	}
	if job == "" || !isGroupingValue(job) {
		return nil, fmt.Errorf("metrics: invalid job %q", job)
	}
	if isNil(gatherer) {
		return nil, errors.New("metrics: nil gatherer")
	}
	labels, err := c.labels()
	if err != nil {
		return nil, err
	}
	return &Pusher{gateway: address, user: user, job: job, grouping: labels, gatherer: gatherer, config: c}, nil
}

// Push pushes the metrics as they are now. It fits stages.WithFlush, which calls
// it when a run is over, whatever way it ended.
//
// Metrics of the same name in the group are replaced; others stay, so a failed
// run does not erase the time of the last success: that is left out while any
// stage that has started has not succeeded. A gatherer that fails in part is pushed in part,
// and its error returned.
//
// An answer of 500 and above, and no answer, are tried again after 100 ms, and
// then after twice as long each time; other answers are not. Push keeps the
// values of ctx, but neither its end nor its deadline, since there is no later
// time to push: it has the timeout of [WithPushTimeout]. A gatherer that does
// not return delays it. A panic on the way is returned as a [stages.PanicError].
// A nil ctx is taken as [context.Background].
func (p *Pusher) Push(ctx context.Context) (err error) {
	if p == nil {
		return nil
	}
	ctx = orBackground(ctx)
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("metrics: push: %w", &stages.PanicError{Value: value})
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.config.timeout)
	defer cancel()
	families, err := p.gatherer.Gather()
	if err != nil {
		err = fmt.Errorf("metrics: gather: %w", err)
		if len(families) == 0 {
			return err
		}
	}
	return errors.Join(err, p.push(ctx, withoutPartialSuccess(families)))
}

// push tries until one attempt succeeds or the next one makes no sense.
func (p *Pusher) push(ctx context.Context, families []*dto.MetricFamily) error {
	delay := firstRetryDelay
	for retries := p.config.retries; ; retries-- {
		again, err := p.attempt(ctx, families)
		if err == nil {
			return nil
		}
		deadline, _ := ctx.Deadline()
		if !again || retries <= 0 || time.Until(deadline) <= delay {
			return fmt.Errorf("metrics: push: %w", err)
		}
		time.Sleep(delay) // Nothing but the deadline ends ctx.
		delay = min(2*delay, maxRetryDelay)
	}
}

// attempt pushes once, and reports whether it may fare better again.
func (p *Pusher) attempt(ctx context.Context, families []*dto.MetricFamily) (again bool, err error) {
	client := &pushClient{Client: p.config.client}
	if client.Client == nil {
		client.Client = http.DefaultClient
	}
	pusher := push.New(p.gateway, p.job).Client(client).
		Gatherer(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil }))
	for name, value := range p.grouping {
		pusher.Grouping(name, value)
	}
	if p.user != nil {
		password, _ := p.user.Password()
		pusher.BasicAuth(p.user.Username(), password)
	}
	err = pusher.AddContext(ctx) // POST; PUT would erase what is not pushed.
	return client.again, err
}

// pushClient is the client of one attempt.
type pushClient struct {
	*http.Client

	again bool // Reports whether another attempt may fare better.
}

// Do implements [push.HTTPDoer].
func (c *pushClient) Do(request *http.Request) (*http.Response, error) {
	response, err := c.Client.Do(request)
	if err != nil {
		c.again = true
		return nil, err
	}
	if last := response.Request; last != nil && last.Method != request.Method {
		_ = response.Body.Close() // A page, of a login say, that looks like success.
		return nil, fmt.Errorf("redirected to %s, without the metrics", last.URL.Redacted())
	}
	c.again = response.StatusCode >= http.StatusInternalServerError
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxAnswerBytes), response.Body}
	return response, nil
}

// parseGateway parses the URL of a Pushgateway and takes the credentials out.
// What it cannot parse it does not show, because it may hold a password.
func parseGateway(gateway string) (string, *url.Userinfo, error) {
	if gateway == "" {
		return "", nil, errors.New("metrics: empty Pushgateway URL")
	}
	if !strings.Contains(gateway, "://") {
		gateway = "http://" + gateway
	}
	address, err := url.Parse(gateway)
	if err != nil {
		return "", nil, errors.New("metrics: malformed Pushgateway URL")
	}
	if address.Scheme != "http" && address.Scheme != "https" || address.Host == "" || address.RawQuery != "" || address.Fragment != "" {
		return "", nil, fmt.Errorf("metrics: invalid Pushgateway URL %q", address.Redacted())
	}
	user := address.User
	address.User = nil
	return address.String(), user, nil
}

// labels returns the grouping labels by name.
func (c pusherConfig) labels() (map[string]string, error) {
	labels := map[string]string{}
	for _, label := range c.grouping {
		switch {
		case !isName(label.name) || strings.HasPrefix(label.name, "__") || label.name == "job" || slices.Contains(ownLabels[:], label.name):
			return nil, fmt.Errorf("metrics: invalid grouping label %q", label.name)
		case isUnbounded(label.name):
			return nil, fmt.Errorf("metrics: grouping label %q makes a group for each process or run, which a Pushgateway never forgets", label.name)
		case !isGroupingValue(label.value):
			return nil, fmt.Errorf("metrics: invalid value %q of grouping label %q", label.value, label.name)
		}
		labels[label.name] = label.value
	}
	maps.DeleteFunc(labels, func(_, value string) bool { return value == "" })
	return labels, nil
}

// isGroupingValue reports whether a Pushgateway reads value as it was written:
// it takes it from the path of a URL, where the client library writes a space as
// a plus, and servers resolve dots.
func isGroupingValue(value string) bool {
	return utf8.ValidString(value) && !strings.Contains(value, " ") && value != "." && value != ".."
}

// isUnbounded reports whether name says that each process or run has another
// value.
func isUnbounded(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "")
	switch name {
	case "instance", "pod", "podname", "pid", "uid", "uuid", "attempt", "traceid", "spanid", "executionid":
		return true
	default:
		return strings.HasSuffix(name, "run") || strings.HasSuffix(name, "runid")
	}
}
