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

	"github.com/waybill-go/waybill/internal/safe"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// The limits of a push. The timeout is half of the default flush timeout of a run,
// so a gateway that hangs leaves time for the other flushes.
const (
	defaultPushTimeout = 5 * time.Second
	defaultPushRetries = 2
	firstRetryDelay    = 100 * time.Millisecond
	maxRetryDelay      = 5 * time.Second
	maxAnswerBytes     = 256     // Of an answer that becomes part of an error.
	maxErrorBytes      = 512     // Of the text of an error.
	maxRefusals        = 3       // Whose answers become part of an error.
	maxLeftOut         = 8       // Metrics whose names become part of an error.
	maxHalvings        = 64      // Of groups that are refused, in one push.
	maxDrainedBytes    = 4 << 10 // Of an answer, so that its connection is used again.
)

// Pusher pushes metrics to a Prometheus Pushgateway, for a process that ends
// before it is scraped. [NewPusher] returns it. It is safe for concurrent use;
// pushes that run at the same time may arrive in any order. A nil or zero Pusher
// pushes nothing.
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
	families, _ := p.gatherer.Gather() // What fails now may not fail when it is pushed.
	if err := p.base.check(families); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return p, nil
}

// Push pushes the metrics as they are now. Use it with stages.WithFlush, which
// calls it when a run has ended, in whatever way.
//
// A Pushgateway replaces the metrics of a group that have the same name. So each
// stage has a group of its own, with its pipeline and stage in the key. Series that
// belong to no stage have groups by topic, collection, destination, carrier,
// direction, operation and reason. A stage that has not run, or has failed, keeps
// the time of its last success, and programs that share a job keep each other's
// series. The lag of partitions and the time of their last fetch are not pushed,
// because they would stay when another process reads the partition. Metrics that
// are not of this package, and the memory of the process and its limit, are in the
// group of the job, where the last push wins: use [WithGrouping] to keep programs apart.
//
// Push makes one request for each group. An answer of 500 and above, and no
// answer, are tried again after 100 ms, and then after twice as long each time.
// A Pushgateway that refuses one metric refuses the whole group, so a group that is
// answered with 400 or 413 is pushed again in halves, up to 64 times in one push.
// Other answers are not tried again. A metric that has a label of the key of its
// group, or a timestamp, is not pushed, because a Pushgateway would replace the
// label and refuses the timestamp. The error of Push names the metrics that were
// not pushed; all others were. If a gatherer fails in part, the rest is pushed, and its
// error returned.
//
// Push keeps the values of ctx, but not its cancellation, because there is no
// later time to push. It ends after the timeout of [WithPushTimeout], or at the
// deadline of ctx if that is earlier, unless ctx is done when Push is called. A
// gatherer that does not return delays it. A panic is returned as an error. A nil
// ctx is treated as context.Background().
func (p *Pusher) Push(ctx context.Context) (err error) {
	if p == nil || p.gatherer == nil {
		return nil
	}
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("metrics: push: %w", panicked(value))
		}
	}()
	ctx, cancel := p.timeLimited(safe.Context(ctx))
	defer cancel()
	families, err := p.gatherer.Gather()
	if err != nil {
		err = fmt.Errorf("metrics: gather: %w", err)
		if len(families) == 0 {
			return err
		}
	}
	fit, leftOut := p.base.fit(families)
	run := &pushRun{pusher: p, leftOut: leftOut}
	if len(fit) == 0 && len(leftOut) > 0 {
		return errors.Join(err, run.leftOutError())
	}
	return errors.Join(err, run.push(ctx, groupsOf(p.base, fit)))
}

// timeLimited returns a context for one push.
func (p *Pusher) timeLimited(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := p.config.timeout
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil {
		timeout = min(timeout, time.Until(deadline))
	}
	return context.WithTimeout(context.WithoutCancel(ctx), timeout)
}

// pushRun is one call of [Pusher.Push].
type pushRun struct {
	pusher   *Pusher
	halvings int
	refusals []error
	leftOut  []string // The metrics that are not pushed, and why.
}

// push tries until all groups are pushed or the next attempt makes no sense.
func (r *pushRun) push(ctx context.Context, groups []group) error {
	delay := firstRetryDelay
	for retries := r.pusher.config.retries; ; retries-- {
		var err error
		groups, err = r.attempt(ctx, groups)
		deadline, _ := ctx.Deadline()
		if err == nil || retries <= 0 || time.Until(deadline) <= delay {
			return errors.Join(errors.Join(r.refusals...), r.leftOutError(), err)
		}
		time.Sleep(delay) // Nothing but the deadline ends ctx.
		delay = min(2*delay, maxRetryDelay)
	}
}

// attempt pushes groups until one fails that may succeed later. It returns the
// groups that are left. The halves of a group that is refused come last.
func (r *pushRun) attempt(ctx context.Context, groups []group) (left []group, err error) {
	for len(groups) > 0 {
		g := groups[0]
		answer, err := r.pusher.post(ctx, g)
		if err != nil && isWorthRetrying(answer) {
			return groups, err
		}
		groups = groups[1:]
		switch {
		case err == nil:
		case isRefusal(answer) && len(g.families) > 1 && r.halvings < maxHalvings:
			r.halvings++
			groups = append(groups, g.halves()...)
		case len(r.refusals) < maxRefusals:
			r.refusals = append(r.refusals, err)
		default:
			for _, family := range g.families {
				r.leftOut = append(r.leftOut, family.GetName()+" is refused")
			}
		}
	}
	return nil, nil
}

// isWorthRetrying reports whether a push with this answer may succeed later. It is
// 0 if there was no answer.
func isWorthRetrying(answer int) bool { return answer == 0 || answer >= http.StatusInternalServerError }

// isRefusal reports whether the answer is about the metrics, and not about the
// address or the credentials.
func isRefusal(answer int) bool {
	return answer == http.StatusBadRequest || answer == http.StatusRequestEntityTooLarge
}

// leftOutError returns an error that names the metrics that are not pushed, or nil
// if there are none.
func (r *pushRun) leftOutError() error {
	names := r.leftOut
	if len(names) == 0 {
		return nil
	}
	more := ""
	if len(names) > maxLeftOut {
		more = fmt.Sprintf("; and %d more", len(names)-maxLeftOut)
		names = names[:maxLeftOut]
	}
	return pushError(fmt.Errorf("not pushed: %s%s", strings.Join(names, "; "), more))
}

// post pushes one group. It returns the status of the answer, or 0 if there is
// none.
func (p *Pusher) post(ctx context.Context, g group) (answer int, err error) {
	body, err := g.encode()
	if err != nil {
		return http.StatusBadRequest, pushError(fmt.Errorf("%s%w", g.prefix(), err))
	}
	// A PUT would erase the metrics that are not pushed.
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.gateway+"/metrics"+g.key.path(), body)
	if err != nil {
		return http.StatusBadRequest, pushError(err)
	}
	request.Header.Set("Content-Type", string(pushFormat))
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
		return 0, pushError(err)
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode, answerError(response, g)
}

// answerError returns an error unless the answer confirms that g was pushed.
func answerError(response *http.Response, g group) error {
	if last := response.Request; last != nil && last.Method != http.MethodPost {
		// A page, of a login for example, that looks like success.
		return pushError(fmt.Errorf("redirected to %s, without the metrics", last.URL.Redacted()))
	}
	if response.StatusCode == http.StatusOK || response.StatusCode == http.StatusAccepted {
		_, _ = io.CopyN(io.Discard, response.Body, maxDrainedBytes)
		return nil
	}
	answer, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	return pushError(fmt.Errorf("%sthe gateway answered %d: %s", g.prefix(), response.StatusCode, bytes.TrimSpace(answer)))
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
		case !series.IsName(label.name) || strings.HasPrefix(label.name, "__") || label.name == jobLabel || slices.Contains(series.Labels[:], label.name):
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
