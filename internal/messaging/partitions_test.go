// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/observe"
)

// reader is a reader of one topic whose messages are fetched one by one.
type reader struct {
	*messaging.Partitions

	seen *events
}

// inOrder returns what the observer was told.
func (r *reader) inOrder() []string { return r.seen.inOrder() }

func newReader(expiry, silence time.Duration) *reader {
	e := &events{}
	r := messaging.New(messaging.Config{System: "kafka", Group: "workers", Observer: e})
	return &reader{r.NewPartitions(expiry, silence), e}
}

func delivery(partition int, offset, watermark int64) *messaging.Message {
	return &messaging.Message{Destination: "orders", Partition: partition, Offset: offset, Watermark: watermark}
}

func (r *reader) fetch(ctx context.Context, partition int, offsets ...int64) {
	for _, offset := range offsets {
		r.Fetched(ctx, r.Begin(time.Now()), delivery(partition, offset, math.MaxInt64-1))
	}
}

// commit commits one message.
func (r *reader) commit(ctx context.Context, m *messaging.Message) {
	r.Committed(ctx, 1, func(int) messaging.Message { return *m })
}

// odd returns the events that are no deliveries.
func (r *reader) odd() []string {
	var odd []string
	for _, e := range r.inOrder() {
		if !strings.HasPrefix(e, "fetched") {
			odd = append(odd, e)
		}
	}
	return odd
}

func run(from, to int64) (offsets []int64) {
	for o := from; o < to; o++ {
		offsets = append(offsets, o)
	}
	return offsets
}

func join(runs ...[]int64) (offsets []int64) {
	for _, r := range runs {
		offsets = append(offsets, r...)
	}
	return offsets
}

func again(n int) []string {
	var all []string
	for range n {
		all = append(all, "redelivered orders/0")
	}
	return all
}

func TestPartitions_GapsAndRedeliveries(t *testing.T) {
	t.Parallel()
	gap := func(n int) string { return fmt.Sprintf("skipped orders/0 offsets=%d", n) }
	for name, tt := range map[string]struct {
		offsets []int64
		want    []string
	}{
		"in order":                       {offsets: run(5, 500)},
		"one gap":                        {offsets: join(run(0, 10), run(12, 500)), want: []string{gap(2)}},
		"a gap of 200":                   {offsets: join(run(0, 10), run(210, 500)), want: []string{gap(200)}},
		"a gap of a million":             {offsets: join(run(0, 10), run(1_000_010, 1_000_500)), want: []string{gap(1_000_000)}},
		"two gaps":                       {offsets: join(run(0, 10), run(12, 20), run(25, 30)), want: []string{gap(2), gap(5)}},
		"one again":                      {offsets: []int64{1, 2, 2, 3}, want: again(1)},
		"a run again":                    {offsets: join(run(0, 500), run(100, 600)), want: again(400)},
		"a run again, twice":             {offsets: join(run(0, 200), run(0, 200), run(0, 200)), want: again(400)},
		"one old offset":                 {offsets: join(run(0, 500), []int64{3}, run(500, 900)), want: again(1)},
		"before the first":               {offsets: join(run(100, 300), run(50, 310)), want: again(200)},
		"what was a gap comes later":     {offsets: join(run(0, 10), run(20, 30), run(5, 35)), want: join2([]string{gap(10)}, again(5), again(10))},
		"again, without a part":          {offsets: join(run(0, 300), run(100, 200), run(210, 310)), want: again(190)},
		"offsets that Kafka has not":     {offsets: []int64{-1, math.MinInt64, math.MaxInt64, 5, -7, 6}},
		"the highest offset that it has": {offsets: []int64{math.MaxInt64 - 2, math.MaxInt64 - 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReader(0, 0)
			r.fetch(t.Context(), 0, tt.offsets...)
			if diff := cmp.Diff(tt.want, r.odd()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func join2(all ...[]string) (joined []string) {
	for _, a := range all {
		joined = append(joined, a...)
	}
	return joined
}

// Messages that were delivered once, in order, to goroutines that note them in
// any order are neither redelivered nor missing, and the lag ends at 0.
func TestPartitions_ManyGoroutines(t *testing.T) {
	t.Parallel()
	const partitions, messages = 3, 30_000
	for _, workers := range []int{2, 4, 8, 32, 128} {
		t.Run(strconv.Itoa(workers), func(t *testing.T) {
			t.Parallel()
			r := newReader(0, 0)
			var mu sync.Mutex
			next, last := 0, make([]int64, partitions)
			for i := range last {
				last[i] = -1
			}
			var all sync.WaitGroup
			for range workers {
				all.Go(func() {
					for {
						call := r.Begin(time.Now())
						mu.Lock()
						n := next
						next++
						mu.Unlock()
						if n >= messages {
							r.Polled(call)
							return
						}
						if rand.IntN(50) == 0 {
							time.Sleep(time.Microsecond) // Late, as a goroutine that was not running.
						}
						r.Fetched(t.Context(), call, delivery(n%partitions, int64(n/partitions), messages/partitions))
						r.commit(t.Context(), delivery(n%partitions, int64(n/partitions), messages/partitions))
					}
				})
			}
			all.Wait()
			lags := make(map[string]string)
			for _, e := range r.inOrder() {
				what, rest, _ := strings.Cut(e, " ")
				switch what {
				case "fetched", "committed":
					where, _, _ := strings.Cut(rest, " ")
					lags[what+" "+where] = rest[strings.LastIndex(rest, " ")+1:]
				default:
					t.Errorf("the observer was told %q", e)
				}
			}
			for where, lag := range lags {
				if lag != "lag=0" {
					t.Errorf("%s ends with %s, want lag=0", where, lag)
				}
			}
		})
	}
}

// A gap is not reported while a call is under way that may fill it.
func TestPartitions_GapWaitsForCallsUnderWay(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		brings bool
		want   []string
	}{
		"filled": {true, nil},
		"empty":  {false, []string{"skipped orders/0 offsets=1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReader(0, 0)
			r.fetch(t.Context(), 0, 0)
			late := r.Begin(time.Now())
			r.fetch(t.Context(), 0, run(2, 500)...)
			if got := r.odd(); len(got) != 0 {
				t.Errorf("with a call under way the observer was told %q", got)
			}
			if tt.brings {
				r.Fetched(t.Context(), late, delivery(0, 1, 9))
			} else {
				r.Polled(late)
			}
			r.fetch(t.Context(), 0, run(500, 510)...)
			if diff := cmp.Diff(tt.want, r.odd()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What another member of the group has read is no gap. It takes at least the
// silence for a partition to go there and come back.
func TestPartitions_GoneAndBack(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		silence time.Duration
		away    time.Duration
		want    []string
	}{
		"another member":         {3 * time.Second, 3 * time.Second, nil},
		"too short for a member": {3 * time.Second, 2 * time.Second, []string{"skipped orders/0 offsets=200"}},
		"no group":               {0, time.Hour, []string{"skipped orders/0 offsets=200"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctestRun(t, func(t *testing.T) {
				r := newReader(100*time.Hour, tt.silence)
				r.fetch(t.Context(), 0, run(0, 100)...)
				time.Sleep(tt.away)
				r.fetch(t.Context(), 0, run(300, 400)...)
				if diff := cmp.Diff(tt.want, r.odd()); diff != "" {
					t.Error(diff)
				}
				r.Close()
			})
		})
	}
}

func TestPartitions_Lag(t *testing.T) {
	t.Parallel()
	r := newReader(0, 0)
	step := func(want string, do func()) {
		t.Helper()
		do()
		if got := strings.Join(r.inOrder(), ", "); got != want {
			t.Errorf("the observer was told %q, want %q", got, want)
		}
	}
	fetch := func(offset, watermark int64) func() {
		return func() { r.Delivered(t.Context(), delivery(2, offset, watermark)) }
	}
	commit := func(offset, watermark int64) func() {
		return func() { r.commit(t.Context(), delivery(2, offset, watermark)) }
	}
	step("committed orders/2 offset=2 lag=8", commit(1, 10))
	step("fetched orders/2 offset=9 lag=0", fetch(9, 10))
	step("fetched orders/2 offset=3 lag=0", fetch(3, 10))
	step("fetched orders/2 offset=4 lag=10", fetch(4, 20))
	step("fetched orders/2 offset=10 lag=9", fetch(10, 20))
	step("fetched orders/2 offset=11 lag=0", fetch(11, 2)) // The watermark is old.
	step("committed orders/2 offset=12 lag=0", commit(11, 2))
	step("committed orders/2 offset=12 lag=0", commit(3, 2))
	step("fetched orders/2 offset=-9223372036854775808 lag=9223372036854775794", fetch(math.MinInt64, math.MaxInt64-1))
	step("revoked orders/2", r.Close)
	step("fetched orders/2 offset=9 lag=0, revoked orders/2", fetch(9, 10))
	step("committed orders/2 offset=10 lag=0, revoked orders/2", commit(9, 10))
}

// A partition that is behind and brings nothing, though the reader polls, is
// lost. Whether others bring something does not matter.
func TestPartitions_Expiry(t *testing.T) {
	t.Parallel()
	const expiry = time.Minute
	lost := []string{"revoked orders/0"}
	for name, tt := range map[string]struct {
		lag  int64
		then func(t *testing.T, r *reader)
		want []string
	}{
		"polls":                     {15, func(_ *testing.T, r *reader) { call := r.Begin(time.Now()); time.Sleep(expiry + 1); r.Polled(call) }, lost},
		"does not poll yet as long": {15, func(_ *testing.T, r *reader) { call := r.Begin(time.Now()); time.Sleep(expiry - 1); r.Polled(call) }, nil},
		"polls again and again": {15, func(_ *testing.T, r *reader) {
			for range 100 {
				call := r.Begin(time.Now())
				time.Sleep(time.Second)
				r.Polled(call)
			}
		}, lost},
		"is stuck":      {15, func(*testing.T, *reader) { time.Sleep(100 * expiry) }, nil},
		"is not behind": {0, func(_ *testing.T, r *reader) { call := r.Begin(time.Now()); time.Sleep(100 * expiry); r.Polled(call) }, nil},
		"is not behind, and others bring": {0, func(t *testing.T, r *reader) {
			time.Sleep(expiry + 1)
			r.fetch(t.Context(), 1, 1)
		}, lost},
		"brings again": {15, func(t *testing.T, r *reader) {
			for offset := range int64(10) {
				call := r.Begin(time.Now())
				time.Sleep(expiry - time.Second)
				r.Fetched(t.Context(), call, delivery(0, 6+offset, 100))
			}
		}, nil},
		"is handled elsewhere": {15, func(_ *testing.T, r *reader) { r.BeginWork(); time.Sleep(100 * expiry); r.EndWork() }, nil},
		"is handled elsewhere no more": {15, func(_ *testing.T, r *reader) {
			r.BeginWork()
			r.BeginWork()
			r.EndWork()
			r.EndWork()
			time.Sleep(expiry + 1)
		}, lost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctestRun(t, func(t *testing.T) {
				r := newReader(expiry, 0)
				r.Fetched(t.Context(), r.Begin(time.Now()), delivery(0, 5, 6+tt.lag))
				tt.then(t, r)
				if diff := cmp.Diff(tt.want, r.odd()); diff != "" {
					t.Error(diff)
				}
				r.Close()
			})
		})
	}
}

// The committed lag of a lost partition goes too.
func TestPartitions_ExpiryOfCommittedLag(t *testing.T) {
	t.Parallel()
	synctestRun(t, func(t *testing.T) {
		r := newReader(time.Minute, 0)
		r.commit(t.Context(), delivery(0, 5, 6))
		r.commit(t.Context(), delivery(1, 5, 7))
		call := r.Begin(time.Now())
		time.Sleep(time.Hour)
		r.Polled(call)
		if diff := cmp.Diff([]string{"committed orders/0 offset=6 lag=0", "committed orders/1 offset=6 lag=1", "revoked orders/1"}, r.inOrder()); diff != "" {
			t.Error(diff)
		}
		r.Close()
	})
}

func TestPartitions_ForgetAndRestart(t *testing.T) {
	t.Parallel()
	r := newReader(0, 0)
	r.fetch(t.Context(), 0, 1, 2)
	r.Forget("orders", 0)
	r.Forget("orders", 0)
	r.fetch(t.Context(), 0, 100, 101)
	r.Restart()
	r.fetch(t.Context(), 0, 1, 101)
	if diff := cmp.Diff([]string{"revoked orders/0", "skipped orders/0 offsets=99"}, r.odd()); diff != "" {
		t.Error(diff)
	}
}

func TestPartitions_Redelivered(t *testing.T) {
	t.Parallel()
	r := newReader(0, 0)
	r.fetch(t.Context(), 0, join(run(0, 100), run(50, 60))...)
	for offset, want := range map[int64]bool{49: false, 50: true, 59: true, 60: false, 1000: false} {
		if got := r.Redelivered("orders", 0, offset); got != want {
			t.Errorf("offset %d is redelivered: %t, want %t", offset, got, want)
		}
	}
	if r.Redelivered("orders", 1, 50) {
		t.Error("a partition that is not known has a redelivery")
	}
}

// The observer may call back, and whatever it learns of a partition is in order.
func TestPartitions_ObserverMayCallBack(t *testing.T) {
	t.Parallel()
	c := &calling{events: &events{}}
	c.p = messaging.New(messaging.Config{System: "kafka", Observer: c}).NewPartitions(0, 0)
	c.p.Fetched(t.Context(), c.p.Begin(time.Now()), delivery(0, 1, 2))
	if diff := cmp.Diff([]string{"fetched orders/0 offset=1 lag=0", "revoked orders/0"}, c.inOrder()); diff != "" {
		t.Error(diff)
	}
}

type calling struct {
	*events

	p *messaging.Partitions
}

func (c *calling) Fetched(ctx context.Context, f observe.Fetch) {
	c.p.Forget(f.Topic, f.Partition)
	c.events.Fetched(ctx, f)
}

// What is kept of a partition is bounded, however its offsets come.
func TestPartitions_Bounds(t *testing.T) {
	t.Parallel()
	r := newReader(0, 0)
	stuck := r.Begin(time.Now())
	for offset := range int64(10_000) {
		r.fetch(t.Context(), 0, 2*offset)
	}
	r.Polled(stuck)
	missing := 0
	for _, e := range r.odd() {
		if e != "skipped orders/0 offsets=1" {
			t.Fatalf("the observer was told %q", e)
		}
		missing++
	}
	if missing != 9_999 {
		t.Errorf("%d gaps were reported, want 9999", missing)
	}
	for partition := range 20_000 {
		r.fetch(t.Context(), partition, 1)
	}
}

func FuzzPartitions(f *testing.F) {
	f.Add([]byte{1, 1, 1, 3, 1, 1}, uint8(0))
	f.Add([]byte{1, 130, 1, 127, 1, 200, 9}, uint8(3))
	f.Fuzz(func(t *testing.T, steps []byte, late uint8) {
		r := newReader(0, 0)
		seen := make(map[int64]bool)
		var offset, highest, passed int64 = 1000, -1, 0
		redelivered := 0
		note := func(o int64) {
			if seen[o] {
				redelivered++
			}
			seen[o] = true
			if highest >= 0 && o > highest {
				passed += o - highest - 1
			}
			highest = max(highest, o)
			r.fetch(t.Context(), 0, o)
		}
		for _, step := range steps {
			offset += int64(step%32) + 1
			note(offset)
			if step >= 128 {
				note(offset - int64(late%16))
			}
		}
		var missing int64
		for _, e := range r.inOrder() {
			var n int64
			if _, err := fmt.Sscanf(e, "skipped orders/0 offsets=%d", &n); err == nil {
				missing += n
			}
			if strings.HasPrefix(e, "redelivered") {
				redelivered--
			}
		}
		if redelivered != 0 {
			t.Errorf("%d redeliveries more than reported", redelivered)
		}
		if missing != passed {
			t.Errorf("%d offsets were reported as missing, want %d", missing, passed)
		}
	})
}
