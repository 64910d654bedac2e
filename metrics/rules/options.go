// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// Option configures [Default]. If an option is given more than once, the last one
// wins. Nil options are ignored. The options that name a pipeline, a topic or an
// alert may be given once for each.
type Option interface {
	apply(config) config
}

type optionFunc func(config) config

func (f optionFunc) apply(c config) config { return f(c) }

// severity is how urgent an alert is.
type severity int

const (
	critical severity = iota
	warning
	info
	severities
)

// everyAlert is the key of the matchers of all alerts.
const everyAlert = ""

// config is what the options set. The keys of its maps are the names of pipelines,
// topics or alerts; the empty name stands for all that have no entry.
type config struct {
	namespace   string
	labels      map[string]string
	matchers    map[string][]Matcher
	grouping    []string
	runbooks    string
	dashboards  string
	severities  [severities]string
	interval    time.Duration
	without     []string
	windows     map[string]time.Duration
	holds       map[string]time.Duration
	buckets     []float64
	native      bool     // There are no classic buckets.
	gaps        []string // Topics whose gaps are no loss.
	minEvents   int
	errorRatios [severities]float64
	surge       surge
	stopped     time.Duration
	median, p99 time.Duration
	rejects     rejects
	memoryShare float64
	fresh       map[string]time.Duration
	backlogs    map[string]time.Duration
	losses      map[string]loss
	objectives  []objective

	refused []error
}

type (
	surge struct{ factor, perSecond float64 }

	rejects struct {
		share float64
		rows  int
	}

	loss struct {
		within time.Duration
		share  float64
	}

	objective struct {
		pipeline string
		latency  time.Duration
		share    float64
	}
)

// The defaults, each with its reason.
func defaults() config {
	return config{
		namespace:  "etl",
		matchers:   map[string][]Matcher{},
		runbooks:   "https://github.com/waybill-go/waybill/blob/main/docs/runbooks",
		severities: [...]string{critical: "critical", warning: "warning", info: "info"},
		buckets:    series.DefaultBuckets[:],
		windows: map[string]time.Duration{
			// Four samples at the longest usual scrape interval, one minute.
			AlertErrorRatio: 5 * time.Minute,
			AlertErrorSurge: 5 * time.Minute,
			// A single late item leaves the window before the alert fires.
			AlertLatency: 5 * time.Minute,
			// A row that comes late leaves the window before the alert fires.
			AlertWatermarkStuck: 5 * time.Minute,
			// The longest pause between two rows that is common in a run that makes
			// progress, such as a call of a slow service with retries.
			AlertStageStuck: 10 * time.Minute,
			// Longer than a rebalance, and than the burst of a producer.
			AlertBacklog: 10 * time.Minute,
			// Longer than the alert waits, so that one bad batch raises it.
			AlertRejectRatio: 30 * time.Minute,
			// A loss remains visible for an hour, and a scrape interval is at most a
			// sixtieth of it.
			AlertDataLoss:      time.Hour,
			AlertTelemetryLost: time.Hour,
			// The long window of the fast burn in the SRE workbook of Google.
			AlertObjectiveBurn: time.Hour,
		},
		holds: map[string]time.Duration{},
		// One failure of one run is not an incident, whatever its share.
		minEvents: 5,
		// A pipeline with retries and dead letters survives one in twenty; one in
		// four means that something it needs is broken.
		errorRatios: [...]float64{critical: 0.25, warning: 0.05, info: 0},
		// The floor that the tutorials of this field use, and four times the usual.
		surge: surge{factor: 4, perSecond: 0.1},
		// Longer than the session timeout of a consumer and the rebalance after it.
		stopped: 5 * time.Minute,
		// Both are bounds of the default buckets, so that a classic histogram
		// compares with them exactly.
		median: time.Minute, p99: 10 * time.Minute,
		// A hundred rows are enough to tell 5 % from chance.
		rejects: rejects{share: 0.05, rows: 100},
		// Where the collector of Go starts to work hard, and before the kernel kills.
		memoryShare: 0.9,
		// A pipeline that runs continuously misses at most one hourly run.
		fresh: map[string]time.Duration{"": time.Hour},
		// People wait a quarter of an hour before they ask where their data is.
		backlogs: map[string]time.Duration{"": 15 * time.Minute},
		// A scrape interval of a minute moves the count of an hour by up to 2 %, and
		// a consumer that is killed takes one interval of counts with it.
		losses: map[string]loss{"": {within: 15 * time.Minute, share: 0.05}},
	}
}

func newConfig(opts []Option) (config, error) {
	c := defaults()
	for _, opt := range opts {
		if opt != nil {
			c = opt.apply(c)
		}
	}
	c.check()
	if err := errors.Join(c.refused...); err != nil {
		return config{}, err
	}
	return c, nil
}

// option returns an option that set applies if no problem is found. A problem is
// the text of an error, or the empty string.
func option(name string, set func(*config), problems ...string) Option {
	return optionFunc(func(c config) config {
		for _, problem := range problems {
			if problem != "" {
				c.refused = append(slices.Clip(c.refused), fmt.Errorf("rules: %s: %s", name, problem))
				return c
			}
		}
		set(&c)
		return c
	})
}

// WithNamespace sets the first part of all metric names, as the option of the same
// name of package metrics does. The default is "etl", also if name is empty.
func WithNamespace(name string) Option {
	if name == "" {
		name = defaults().namespace
	}
	return option("WithNamespace", func(c *config) { c.namespace = name }, checkName("namespace", name))
}

// WithLabels adds labels with fixed values to all alerts, for the routes of the
// Alertmanager. It copies labels. The default is none. A label may not be named
// severity; see [WithSeverities].
func WithLabels(labels map[string]string) Option {
	labels = maps.Clone(labels)
	return option("WithLabels", func(c *config) { c.labels = labels }, checkLabels(labels))
}

// WithMatchers restricts all rules to the series that all matchers select, for
// example those of one environment. The default is none.
func WithMatchers(matchers ...Matcher) Option {
	matchers = slices.Clone(matchers)
	return option("WithMatchers", func(c *config) { c.setMatchers(everyAlert, matchers) }, checkMatchers(matchers))
}

// WithAlertMatchers restricts the rules of one alert to the series that all
// matchers select, for example to leave out a stage that is idle for days.
func WithAlertMatchers(alert string, matchers ...Matcher) Option {
	matchers = slices.Clone(matchers)
	return option("WithAlertMatchers", func(c *config) { c.setMatchers(alert, matchers) }, checkAlert(alert), checkMatchers(matchers))
}

func (c *config) setMatchers(alert string, matchers []Matcher) {
	c.matchers = maps.Clone(c.matchers)
	c.matchers[alert] = matchers
}

// WithGrouping adds labels by which all alerts are grouped, for example the
// namespaces or clusters that one Prometheus scrapes. The default is none: the
// processes of a stage are taken together wherever they run.
func WithGrouping(labels ...string) Option {
	labels = slices.Clone(labels)
	return option("WithGrouping", func(c *config) { c.grouping = labels }, checkGrouping(labels))
}

// WithRunbooks sets the URL under which the pages of the alerts are, one NAME.md
// for each. The default is docs/runbooks of the repository of this module.
func WithRunbooks(base string) Option {
	base = strings.TrimSuffix(base, "/")
	return option("WithRunbooks", func(c *config) { c.runbooks = base }, checkURL(base))
}

// WithDashboards sets the URL of Grafana, to which the alerts link. By default the
// links are paths below it.
func WithDashboards(base string) Option {
	base = strings.TrimSuffix(base, "/")
	return option("WithDashboards", func(c *config) { c.dashboards = base }, checkURL(base))
}

// WithSeverities sets the values of the label severity. The defaults are critical,
// for an alert that wakes someone, warning, for one that can wait until morning,
// and info.
func WithSeverities(criticalValue, warningValue, infoValue string) Option {
	values := [...]string{critical: criticalValue, warning: warningValue, info: infoValue}
	return option("WithSeverities", func(c *config) { c.severities = values },
		checkText("severity", criticalValue), checkText("severity", warningValue), checkText("severity", infoValue))
}

// WithInterval sets the time between two evaluations of the rules. The default is
// that of the server.
func WithInterval(d time.Duration) Option {
	return option("WithInterval", func(c *config) { c.interval = d }, checkDuration("interval", d))
}

// WithoutAlerts leaves out alerts. The default is that all of [Alerts] are there.
func WithoutAlerts(alerts ...string) Option {
	alerts = slices.Clone(alerts)
	problems := make([]string, len(alerts))
	for i, alert := range alerts {
		problems[i] = checkAlert(alert)
	}
	return option("WithoutAlerts", func(c *config) { c.without = alerts }, problems...)
}

// WithFor sets how long the expressions of an alert have had a value when it
// fires, for all its severities.
func WithFor(alert string, d time.Duration) Option {
	return option("WithFor", func(c *config) { c.holds = with(c.holds, alert, d) }, checkAlert(alert), checkDuration("time", d))
}

// WithWindow sets the time that the expressions of an alert look back. For
// [AlertObjectiveBurn] it is the long window of the fast burn; the others have the same
// ratio to it. [AlertMemory] has no window. For [AlertNotFresh] it is how long a process
// that is gone is remembered.
func WithWindow(alert string, d time.Duration) Option {
	return option("WithWindow", func(c *config) { c.windows = with(c.windows, alert, d) }, checkAlert(alert), checkDuration("window", d))
}

// WithBuckets sets the upper bounds, in seconds, of the classic buckets, as the
// option of the same name of package metrics does. An [Objective] must be one of
// them. The default is that of package metrics, also if there are no bounds.
func WithBuckets(bounds ...float64) Option {
	bounds = slices.Clone(bounds)
	return option("WithBuckets", func(c *config) {
		c.buckets, c.native = bounds, false
		if len(bounds) == 0 {
			c.buckets = series.DefaultBuckets[:]
		}
	})
}

// WithoutClassicBuckets allows an [Objective] any latency, for a Prometheus that
// scrapes native histograms only.
func WithoutClassicBuckets() Option {
	return option("WithoutClassicBuckets", func(c *config) { c.native = true })
}

// WithExpectedGaps names topics whose offsets have gaps that are no loss: a topic
// that is compacted, and one that is written in transactions, whose markers are
// offsets without a message. [AlertDataLoss] ignores them. A topic whose series
// have a label cleanup_policy that contains compact, or the label
// transactional="true", is ignored without being named.
func WithExpectedGaps(topics ...string) Option {
	topics = slices.Clone(topics)
	return option("WithExpectedGaps", func(c *config) { c.gaps = topics }, checkTexts("topic", topics))
}

// WithMinEvents sets the fewest failures that raise [AlertErrorRatio], late items that
// raise [AlertObjectiveBurn], and missing messages that raise [AlertDataLoss] by its share.
// The default is 5.
func WithMinEvents(n int) Option {
	return option("WithMinEvents", func(c *config) { c.minEvents = n }, checkCount("number", n))
}

// WithErrorRatio sets the shares of failed runs above which [AlertErrorRatio] is a
// warning and critical. The defaults are 0.05 and 0.25.
func WithErrorRatio(warningShare, criticalShare float64) Option {
	return option("WithErrorRatio", func(c *config) {
		c.errorRatios = [...]float64{critical: criticalShare, warning: warningShare, info: 0}
	}, checkShare(warningShare), checkShare(criticalShare))
}

// WithErrorSurge sets how many times the error rate of the last day, and how many
// errors a second, raise [AlertErrorSurge]. The defaults are 4 and 0.1.
func WithErrorSurge(factor, perSecond float64) Option {
	return option("WithErrorSurge", func(c *config) { c.surge = surge{factor, perSecond} },
		checkPositive("factor", factor), checkPositive("rate", perSecond))
}

// WithStoppedAfter sets after how long without a fetch a consumer is taken to have
// stopped, in [AlertBacklog]. The default is 5 minutes.
func WithStoppedAfter(d time.Duration) Option {
	return option("WithStoppedAfter", func(c *config) { c.stopped = d }, checkDuration("time", d))
}

// WithLatency sets the median that makes [AlertLatency] critical, and the 99th
// percentile that makes it a warning. The defaults are 1 and 10 minutes. A classic
// histogram compares exactly with the bounds of its buckets only.
func WithLatency(median, p99 time.Duration) Option {
	return option("WithLatency", func(c *config) { c.median, c.p99 = median, p99 },
		checkDuration("median", median), checkDuration("percentile", p99))
}

// WithRejectRatio sets the share of the rows that are read, and the number of rows,
// above which rejects raise [AlertRejectRatio]. The defaults are 0.05 and 100.
func WithRejectRatio(share float64, rows int) Option {
	return option("WithRejectRatio", func(c *config) { c.rejects = rejects{share, rows} }, checkShare(share), checkCount("number of rows", rows))
}

// WithMemory sets the share of its limit above which the memory of a process
// raises [AlertMemory]. The default is 0.9.
func WithMemory(share float64) Option {
	return option("WithMemory", func(c *config) { c.memoryShare = share }, checkShare(share))
}

// Freshness declares that every stage of a pipeline succeeds at least once in
// every: [AlertNotFresh] fires if none has for twice as long, also if the pipeline is
// gone or was never there. It fires until it is fresh or the declaration is
// removed.
//
// If pipeline is empty, every applies to all pipelines that are not declared. The
// default is an hour. A pipeline that is not declared is forgotten a day after its
// process ended.
func Freshness(pipeline string, every time.Duration) Option {
	return option("Freshness", func(c *config) { c.fresh = with(c.fresh, pipeline, every) },
		checkOptional("pipeline", pipeline), checkDuration("interval", every))
}

// Objective declares that a share of the data of a pipeline, such as 0.99, reaches
// the end of its stages within a latency. It adds recording rules, and
// [AlertObjectiveBurn], which fires if the remaining share is used up too fast: at 14.4
// times the rate that lasts for the period of the objective, or, as a warning, at 6
// times. The period is thirty days.
//
// A classic histogram knows how many latencies are below the bounds of its
// buckets, so the latency must be one of them; see [WithBuckets] and
// [WithoutClassicBuckets]. A pipeline may have several objectives.
func Objective(pipeline string, latency time.Duration, share float64) Option {
	problem := checkShare(share)
	if problem == "" && (share == 1 || slowBurn*(1-share) >= 1) {
		problem = fmt.Sprintf("invalid share %v: it must be below 1, and so high that the rest can be used up %v times too fast", share, slowBurn)
	}
	return option("Objective", func(c *config) {
		c.objectives = append(slices.Clip(c.objectives), objective{pipeline, latency, share})
	}, checkText("pipeline", pipeline), checkDuration("latency", latency), problem)
}

// Loss sets when messages of a topic that were written, and neither read nor
// waiting, are missing: if they are more than a share of what was written, for
// longer than the longest time that a message is on the way. Gaps in offsets do
// not depend on it. If topic is empty, it applies to all topics that are not
// declared. The defaults are 15 minutes and 0.05.
func Loss(topic string, within time.Duration, share float64) Option {
	return option("Loss", func(c *config) { c.losses = with(c.losses, topic, loss{within, share}) },
		checkOptional("topic", topic), checkDuration("time", within), checkShare(share))
}

// Backlog sets how long a consumer may need for the messages that wait in a topic,
// at its current rate, if there are more and more of them. If topic is empty, it
// applies to all topics that are not declared. The default is 15 minutes.
func Backlog(topic string, within time.Duration) Option {
	return option("Backlog", func(c *config) { c.backlogs = with(c.backlogs, topic, within) },
		checkOptional("topic", topic), checkDuration("time", within))
}

// with returns a copy of m in which the value of key is set.
func with[V any](m map[string]V, key string, value V) map[string]V {
	m = maps.Clone(m)
	m[key] = value
	return m
}

// check refuses what only all options together show.
func (c *config) check() {
	refuse := func(format string, args ...any) {
		c.refused = append(slices.Clip(c.refused), fmt.Errorf("rules: "+format, args...))
	}
	if c.errorRatios[critical] < c.errorRatios[warning] {
		refuse("WithErrorRatio: the critical share %v is below that of a warning, %v", c.errorRatios[critical], c.errorRatios[warning])
	}
	for _, o := range c.objectives {
		if !c.native && !slices.Contains(c.buckets, o.latency.Seconds()) {
			refuse("Objective: %s is not a bound of the classic buckets, %v seconds: choose one, or see WithBuckets and WithoutClassicBuckets", o.latency, c.buckets)
		}
	}
	for name := range c.labels {
		if slices.Contains(c.grouping, name) {
			refuse("WithLabels: %q is a label of WithGrouping", name)
		}
	}
}

func checkName(what, name string) string {
	if !series.IsName(name) {
		return fmt.Sprintf("invalid %s %q", what, name)
	}
	return ""
}

// checkOptional allows the empty text.
func checkOptional(what, text string) string {
	if text == "" {
		return ""
	}
	return checkText(what, text)
}

func checkText(what, text string) string {
	if text == "" || !utf8.ValidString(text) {
		return fmt.Sprintf("invalid %s %q", what, text)
	}
	return ""
}

func checkTexts(what string, texts []string) string {
	for _, text := range texts {
		if problem := checkText(what, text); problem != "" {
			return problem
		}
	}
	return ""
}

func checkAlert(name string) string {
	if !slices.Contains(Alerts(), name) {
		return fmt.Sprintf("unknown alert %q", name)
	}
	return ""
}

func checkDuration(what string, d time.Duration) string {
	// PromQL has no shorter one, and reads years of 365 days.
	if d < time.Millisecond || d%time.Millisecond != 0 {
		return fmt.Sprintf("invalid %s %s: not a positive number of milliseconds", what, d)
	}
	return ""
}

func checkShare(share float64) string {
	if !(share >= 0 && share <= 1) {
		return fmt.Sprintf("invalid share %v: not from 0 to 1", share)
	}
	return ""
}

func checkPositive(what string, f float64) string {
	if !(f > 0) || math.IsInf(f, 0) {
		return fmt.Sprintf("invalid %s %v: not positive", what, f)
	}
	return ""
}

func checkCount(what string, n int) string {
	if n < 0 {
		return fmt.Sprintf("invalid %s %d: negative", what, n)
	}
	return ""
}

func checkLabels(labels map[string]string) string {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if problem := checkLabel(name); problem != "" {
			return problem
		}
		if name == "severity" || name == "alertname" || name == signalLabel || name == "objective" || slices.Contains(series.Labels[:], name) {
			return fmt.Sprintf("the label %q is taken", name)
		}
		if !utf8.ValidString(labels[name]) {
			return fmt.Sprintf("invalid value %q of the label %q", labels[name], name)
		}
	}
	return ""
}

func checkGrouping(labels []string) string {
	for i, name := range labels {
		if problem := checkLabel(name); problem != "" {
			return problem
		}
		if slices.Contains(labels[:i], name) || slices.Contains(series.Labels[:], name) || name == "job" || name == "instance" {
			return fmt.Sprintf("the label %q is taken", name)
		}
	}
	return ""
}

func checkMatchers(matchers []Matcher) string {
	for _, m := range matchers {
		if problem := checkLabel(m.label); problem != "" {
			return problem
		}
		if !utf8.ValidString(m.value) {
			return fmt.Sprintf("invalid value %q of the label %q", m.value, m.label)
		}
		if m.operator != "=~" && m.operator != "!~" {
			continue
		}
		if _, err := regexp.Compile("^(?s:" + m.value + ")$"); err != nil { // As Prometheus compiles it.
			return fmt.Sprintf("invalid expression of the label %q: %v", m.label, err)
		}
	}
	return ""
}

func checkLabel(name string) string {
	if strings.HasPrefix(name, "__") {
		return fmt.Sprintf("the label %q is reserved", name)
	}
	return checkName("label", name)
}

func checkURL(base string) string {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || !utf8.ValidString(base) {
		return fmt.Sprintf("invalid URL %q", base)
	}
	return ""
}
