// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/waybill-go/waybill/internal/flow"
)

// Kind is how something differs from an earlier catalog.
type Kind string

// The kinds of changes.
const (
	Appeared Kind = "appeared"
	Vanished Kind = "vanished"
	Slower   Kind = "slower"
	Failing  Kind = "failing" // Fails more often.
	Broken   Kind = "broken"  // Loses the context more often.
)

// Kinds returns all kinds of changes.
func Kinds() []Kind { return []Kind{Appeared, Vanished, Slower, Failing, Broken} }

// Change is what differs between two catalogs.
type Change struct {
	Kind    Kind   `json:"kind"`
	Subject string `json:"subject"` // "service", "destination" or "edge".
	Name    string `json:"name"`    // Such as "api", "kafka orders" or "api → kafka orders → job".
	// Measure is what is slower or fails: "hop_seconds.p50", "hop_seconds.p95",
	// "queue_seconds.p50", "queue_seconds.p95", "error_share" or "broken_share".
	Measure string   `json:"measure,omitempty"`
	Old     *float64 `json:"old,omitempty"` // Its value in the earlier catalog,
	New     *float64 `json:"new,omitempty"` // and in this one.
}

// Limits say which differences are changes.
type Limits struct {
	// Slower is the share by which a time must have grown, such as 0.5 for a half. A
	// time that grew by less than a millisecond is no slower.
	Slower float64
	// Failing is how much the share of errors, or of broken hops, must have grown, such
	// as 0.01 for a hundredth. What chance explains is not a change.
	Failing float64
	// MinHops is how many hops both catalogs must have for their medians and shares to
	// be compared. The 95th percentile needs five times as many.
	MinHops int
}

// Diff is the changes between two catalogs.
type Diff struct {
	Changes []Change `json:"changes"`
}

// Has reports whether d has a change of a kind.
func (d *Diff) Has(kind Kind) bool {
	for i := range d.Changes {
		if d.Changes[i].Kind == kind {
			return true
		}
	}
	return false
}

// Compare returns how c differs from an earlier catalog.
func (c *Catalog) Compare(old *Catalog, limits Limits) *Diff {
	d := &differ{limits: limits, diff: &Diff{Changes: []Change{}}}
	pair(d, "service", old.Services, c.Services, (*Service).key, d.services)
	pair(d, "destination", old.Destinations, c.Destinations, (*Destination).key, nil)
	pair(d, "edge", old.Edges, c.Edges, (*Edge).key, d.edges)
	return d.diff
}

type differ struct {
	limits Limits
	diff   *Diff
}

func (d *differ) add(c Change) { d.diff.Changes = append(d.diff.Changes, c) }

// named is an entry of a list.
type named[T any] interface {
	*T
	name() string // For a person.
}

// pair compares two lists, of which each entry has a key of its own.
func pair[T any, K comparable, N named[T]](d *differ, subject string, before, after []T, key func(*T) K, compare func(name string, before, after *T)) {
	known := make(map[K]*T, len(before))
	for i := range before {
		known[key(&before[i])] = &before[i]
	}
	for i := range after {
		entry := &after[i]
		switch earlier, ok := known[key(entry)]; {
		case !ok:
			d.add(Change{Kind: Appeared, Subject: subject, Name: N(entry).name()})
		case compare != nil:
			compare(N(entry).name(), earlier, entry)
		}
		delete(known, key(entry))
	}
	for i := range before {
		if entry := &before[i]; known[key(entry)] != nil {
			d.add(Change{Kind: Vanished, Subject: subject, Name: N(entry).name()})
		}
	}
}

func (d *differ) services(name string, before, after *Service) {
	d.share(Change{Kind: Failing, Subject: "service", Name: name, Measure: "error_share"}, before.Failed, before.Spans, after.Failed, after.Spans)
}

func (d *differ) edges(name string, before, after *Edge) {
	if before.Skewed == 0 && after.Skewed == 0 { // Else the time says how much clocks differ.
		d.times(name, "hop_seconds", before.Hop, after.Hop)
	}
	d.times(name, "queue_seconds", before.Queue, after.Queue)
	d.share(Change{Kind: Failing, Subject: "edge", Name: name, Measure: "error_share"}, before.Failed, before.Hops, after.Failed, after.Hops)
	d.share(Change{Kind: Broken, Subject: "edge", Name: name, Measure: "broken_share"},
		before.Broken, before.Hops+before.Broken, after.Broken, after.Hops+after.Broken)
}

// manyHops is how many times MinHops a 95th percentile needs.
const manyHops = 5

// times compares the quantiles of a time.
func (d *differ) times(name, measure string, before, after *Times) {
	if before == nil || after == nil {
		return
	}
	count := min(before.Count, after.Count)
	for _, q := range []struct {
		name       string
		need       int
		then, next float64
	}{
		{".p50", d.limits.MinHops, before.P50, after.P50},
		{".p95", manyHops * d.limits.MinHops, before.P95, after.P95},
	} {
		if count >= q.need && q.next-q.then > max(d.limits.Slower*q.then, time.Millisecond.Seconds()) {
			d.add(Change{Kind: Slower, Subject: "edge", Name: name, Measure: measure + q.name, Old: &q.then, New: &q.next})
		}
	}
}

// share compares how many of all are bad, and adds c if it is more than before and
// more than chance explains: two standard deviations of a Poisson distribution.
func (d *differ) share(c Change, badBefore, before, badAfter, after int) {
	if min(before, after) < max(d.limits.MinHops, 1) {
		return
	}
	then, next := float64(badBefore)/float64(before), float64(badAfter)/float64(after)
	expected := then * float64(after)
	if next-then <= d.limits.Failing || float64(badAfter)-expected <= 2*math.Sqrt(max(expected, 1)) {
		return
	}
	then, next = round(then), round(next)
	c.Old, c.New = &then, &next
	d.add(c)
}

// WriteMarkdown writes d as Markdown. If width is not 0, names are cut so that a line
// has at most width characters.
func (d *Diff) WriteMarkdown(w io.Writer, width int) error {
	if len(d.Changes) == 0 {
		_, err := fmt.Fprintln(w, "Nothing has changed.")
		return err
	}
	t := table{columns: []column{{name: "change"}, {name: "of"}, {name: "name"}, {name: "measure"}, {name: "was", right: true}, {name: "is", right: true}}}
	for i := range d.Changes {
		c := &d.Changes[i]
		then, next := c.values()
		t.add(string(c.Kind), c.Subject, c.Name, measures[c.Measure], then, next)
	}
	_, err := fmt.Fprintf(w, "%s.\n\n%s", flow.Plural(len(d.Changes), "change"), t.markdown(width))
	return err
}

// measures are the names of measures for a person.
var measures = map[string]string{
	"hop_seconds.p50": "hop p50", "hop_seconds.p95": "hop p95", "queue_seconds.p50": "queue p50", "queue_seconds.p95": "queue p95",
	"error_share": "errors", "broken_share": "broken",
}

// values returns the values of c for a person.
func (c *Change) values() (then, next string) {
	if c.Old == nil || c.New == nil {
		return "", ""
	}
	if c.Kind == Slower {
		return duration(*c.Old), duration(*c.New)
	}
	return percent(*c.Old), percent(*c.New)
}
