// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"bytes"
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
	"github.com/prometheus/common/expfmt"

	"github.com/waybill-go/waybill/internal/safe"
)

// The limits of a push. The timeout is below that of the flush of a run, so that
// the push reports what went wrong.
const (
	defaultPushTimeout = 5 * time.Second
	defaultPushRetries = 2
	firstRetryDelay    = 100 * time.Millisecond
	maxRetryDelay      = 5 * time.Second
	maxAnswerBytes     = 256     // Of an answer that becomes part of an error.
	maxErrorBytes      = 512     // Of the text of an error.
	maxRefusals        = 3       // That become part of an error.
	maxDrainedBytes    = 4 << 10 // Of an answer, so that its connection is used again.
)

// Pusher pushes metrics to a Prometheus Pushgateway, for a process that ends
// before it is scraped. [NewPusher] returns it. It is safe for concurrent use;
// pushes that run at the same time may arrive in any order. A nil *Pusher pushes
// nothing.
type Pusher struct {
	gateway  string        // Without a slash at the end.
	user     *url.Userinfo // Nil without.
	base     groupKey
	gatherer prometheus.Gatherer
	config   pusherConfig
}

// PusherOption configures [NewPusher]. If an option is given more than once, the
// last one wins. Nil options are ignored.
type PusherOption interface {
	apply(pusherConfig) pusherConfig
}

type pusherConfig struct {
	grouping []groupLabel
	timeout  time.Duration
	retries  int
	client   *http.Client
}

type pusherOptionFunc func(pusherConfig) pusherConfig

func (f pusherOptionFunc) apply(c pusherConfig) pusherConfig { return f(c) }

// WithGrouping adds a label to the key of each group that is pushed. It may be
// given more than once; of the same name, the last one wins. A label with an empty
// value is ignored, because Prometheus has no empty labels.
//
// A Pushgateway keeps a group until someone deletes it. So [NewPusher] refuses
// names of which each process or run has a value of its own: instance, pod,
// pod_name, pid, uid, uuid, attempt, trace_id, span_id, execution_id, and names
// that end in run or run_id. It also refuses job, the labels of the metrics of
// this package, labels that the metrics have already, and names that are not of
// the classic alphabet.
func WithGrouping(name, value string) PusherOption {
	return pusherOptionFunc(func(c pusherConfig) pusherConfig {
		c.grouping = append(slices.Clip(c.grouping), groupLabel{name, value})
		return c
	})
}

// WithPushTimeout sets the timeout of one [Pusher.Push], with all its attempts.
// The default is 5 seconds, also if d is 0 or less.
func WithPushTimeout(d time.Duration) PusherOption {
	return pusherOptionFunc(func(c pusherConfig) pusherConfig {
		c.timeout = d
		if d <= 0 {
			c.timeout = defaultPushTimeout
		}
		return c
	})
}

// WithPushRetries sets how often one [Pusher.Push] tries again. The default is 2,
// also if n is less than 0.
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
// credentials of your own. If client is nil, [http.DefaultClient] at the time of
// the push is used, which is the default.
func WithHTTPClient(client *http.Client) PusherOption {
	return pusherOptionFunc(func(c pusherConfig) pusherConfig {
		c.client = client
		return c
	})
}

// NewPusher returns a pusher of the metrics of gatherer to the Pushgateway at
// gateway: a URL without the path from /metrics on, or a host and a port. If the
// URL has a user name and a password, they are sent as basic authentication and
// are not in any error.
//
// NewPusher returns an error that names the argument that is wrong: a URL or a job
// that is empty or invalid, a nil gatherer, or a label. A job and a value must be
// UTF-8 without spaces. NewPusher gathers once, to find labels of the metrics that
// are in the key of the group too.
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
		return nil, errNilGatherer
	}
	labels, err := c.labels()
	if err != nil {
		return nil, err
	}
	p := &Pusher{
		gateway: address, user: user, gatherer: contained{gatherer}, config: c,
		base: append(groupKey{{jobLabel, job}}, labels...),
	}
	if families, _ := p.gatherer.Gather(); families != nil { // What fails now may not fail when it is pushed.
		if err := p.base.check(families); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return p, nil
}

// Push pushes the metrics as they are now. Use it with stages.WithFlush, which
// calls it when a run has ended, in whatever way.
//
// A Pushgateway replaces the metrics of a group that have the same name. So each
// stage has a group of its own, with its pipeline and stage in the key. What is
// measured outside stages has groups by topic, collection, destination, carrier,
// direction, operation and reason. A stage that has not run, or has failed, keeps
// the time of its last success, and programs that share a job keep each other's
// series. The lag of partitions and the time of their last fetch are not pushed,
// because they would stay when another process reads the partition. Metrics that
// are not of this package, and the memory of the process, are in the group of the
// job, where those of the last push stay: use [WithGrouping] to keep programs
// apart.
//
// Push makes one request for each group. An answer of 500 and above, and no
// answer, are tried again after 100 ms, and then after twice as long each time;
// other answers are not. If a gatherer fails in part, the rest is pushed, and its
// error returned.
//
// Push keeps the values of ctx, but not its cancellation and deadline, because
// there is no later time to push: it has the timeout of [WithPushTimeout]. A
// gatherer that does not return delays it. A panic is returned as an error. A nil
// ctx is treated as context.Background().
func (p *Pusher) Push(ctx context.Context) (err error) {
	if p == nil {
		return nil
	}
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("metrics: push: %w", panicked(value))
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(safe.Context(ctx)), p.config.timeout)
	defer cancel()
	families, err := p.gatherer.Gather()
	if err != nil {
		err = fmt.Errorf("metrics: gather: %w", err)
		if len(families) == 0 {
			return err
		}
	}
	if unfit := p.base.check(families); unfit != nil {
		return errors.Join(err, fmt.Errorf("metrics: push: %w", unfit))
	}
	return errors.Join(err, p.push(ctx, groupsOf(p.base, families)))
}

// push tries until all groups are pushed or the next attempt makes no sense.
func (p *Pusher) push(ctx context.Context, groups []group) error {
	var refusals []error
	delay := firstRetryDelay
	for retries := p.config.retries; ; retries-- {
		var err error
		groups, refusals, err = p.attempt(ctx, groups, refusals)
		deadline, _ := ctx.Deadline()
		if err == nil || retries <= 0 || time.Until(deadline) <= delay {
			return errors.Join(errors.Join(refusals...), err)
		}
		time.Sleep(delay) // Nothing but the deadline ends ctx.
		delay = min(2*delay, maxRetryDelay)
	}
}

// attempt pushes groups until one fails that may succeed later. It returns the
// groups that are left, and the first errors of those that were refused.
func (p *Pusher) attempt(ctx context.Context, groups []group, refusals []error) (left []group, _ []error, err error) {
	for i, g := range groups {
		again, err := p.post(ctx, g)
		switch {
		case err == nil:
		case again:
			return groups[i:], refusals, err
		case len(refusals) < maxRefusals:
			refusals = append(refusals, err)
		}
	}
	return nil, refusals, nil
}

// post pushes one group, and reports whether it may succeed later if it failed.
func (p *Pusher) post(ctx context.Context, g group) (again bool, err error) {
	var body bytes.Buffer
	format := expfmt.NewFormat(expfmt.TypeProtoDelim)
	encoder := expfmt.NewEncoder(&body, format)
	for _, family := range g.families {
		if err = encoder.Encode(family); err != nil {
			return false, pushError(err)
		}
	}
	// A PUT would erase the metrics that are not pushed.
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.gateway+"/metrics"+g.key.path(), &body)
	if err != nil {
		return false, pushError(err)
	}
	request.Header.Set("Content-Type", string(format))
	if p.user != nil {
		password, _ := p.user.Password()
		request.SetBasicAuth(p.user.Username(), password)
	}
	client := p.config.client
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return true, pushError(err)
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode >= http.StatusInternalServerError, answerError(response)
}

// answerError returns an error unless the answer says that the group was pushed.
func answerError(response *http.Response) error {
	if last := response.Request; last != nil && last.Method != http.MethodPost {
		// A page, of a login for example, that looks like success.
		return pushError(fmt.Errorf("redirected to %s, without the metrics", last.URL.Redacted()))
	}
	if response.StatusCode == http.StatusOK || response.StatusCode == http.StatusAccepted {
		_, _ = io.CopyN(io.Discard, response.Body, maxDrainedBytes)
		return nil
	}
	answer, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	return pushError(fmt.Errorf("the gateway answered %d: %s", response.StatusCode, bytes.TrimSpace(answer)))
}

// pushError returns err with a text of one line without control characters: the
// answer of a gateway may hold anything.
func pushError(err error) error {
	return fmt.Errorf("metrics: push: %w", &printableError{printable(err.Error(), maxErrorBytes), err})
}

// printableError is an error with another text.
type printableError struct {
	text string
	err  error
}

func (e *printableError) Error() string { return e.text }
func (e *printableError) Unwrap() error { return e.err }

// parseGateway parses the URL of a Pushgateway and removes the credentials. It
// does not show a URL that it cannot parse, which may hold a password.
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
	return strings.TrimRight(address.String(), "/"), user, nil
}

// labels returns the grouping labels, sorted by name.
func (c pusherConfig) labels() (groupKey, error) {
	labels := map[string]string{}
	for _, label := range c.grouping {
		switch {
		case !isName(label.name) || strings.HasPrefix(label.name, "__") || label.name == jobLabel || slices.Contains(ownLabels[:], label.name):
			return nil, fmt.Errorf("metrics: invalid grouping label %q", label.name)
		case isUnbounded(label.name):
			return nil, fmt.Errorf("metrics: grouping label %q makes a group for each process or run, which a Pushgateway never forgets", label.name)
		case !isGroupingValue(label.value):
			return nil, fmt.Errorf("metrics: invalid value %q of grouping label %q", label.value, label.name)
		}
		labels[label.name] = label.value
	}
	maps.DeleteFunc(labels, func(_, value string) bool { return value == "" })
	var key groupKey
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		key = append(key, groupLabel{name, labels[name]})
	}
	return key, nil
}

// isGroupingValue reports whether value is fit for the path of a URL as other
// clients write it, so that they push to the same group.
func isGroupingValue(value string) bool {
	return utf8.ValidString(value) && !strings.Contains(value, " ") && value != "." && value != ".."
}

// isUnbounded reports whether name suggests that each process or run has a value
// of its own.
func isUnbounded(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "")
	switch name {
	case "instance", "pod", "podname", "pid", "uid", "uuid", "attempt", "traceid", "spanid", "executionid":
		return true
	default:
		return strings.HasSuffix(name, "run") || strings.HasSuffix(name, "runid")
	}
}
