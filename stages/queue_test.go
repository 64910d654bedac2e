// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

// queueProbe is an observer that remembers what it is told of queues.
type queueProbe struct {
	*probe

	mu     sync.Mutex
	queues []observe.StageQueue
	waits  []time.Duration
}

func (p *queueProbe) Stage(observe.StageID) observe.RunObserver { return p }

func (p *queueProbe) Queue(q observe.StageQueue) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queues = append(p.queues, q)
}

func (p *queueProbe) Waited(_ context.Context, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waits = append(p.waits, d)
}

// newQueue returns a queue in front of an observed stage.
func newQueue(t testing.TB, capacity int) (*stages.Queue[int], *queueProbe) {
	t.Helper()
	p := &queueProbe{probe: newProbe()}
	return mustQueue(t, newRig(t, stages.WithObserver(p)).Stage, capacity), p
}

func mustQueue(t testing.TB, s *stages.Stage, capacity int) *stages.Queue[int] {
	t.Helper()
	q, err := stages.NewQueue[int](s, capacity)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func mustPut(t testing.TB, q *stages.Queue[int], ctx context.Context, items ...int) { //nolint:revive // The queue is what is tested.
	t.Helper()
	for _, item := range items {
		if err := q.Put(ctx, item); err != nil {
			t.Errorf("Put(%d) = %v, want nil", item, err)
		}
	}
}

func TestQueue_KeepsTheOrder(t *testing.T) {
	t.Parallel()
	q, _ := newQueue(t, 3)
	mustPut(t, q, t.Context(), 1, 2, 3)
	q.Close()
	var got []int
	for _, item := range q.All(t.Context()) {
		got = append(got, item)
	}
	if diff := cmp.Diff([]int{1, 2, 3}, got); diff != "" {
		t.Errorf("items (-want +got)\n%s", diff)
	}
	if got, want := q.Stats(), (observe.QueueStats{Capacity: 3, Done: true}); got != want {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
}

func TestNewQueue_InvalidCapacity(t *testing.T) {
	t.Parallel()
	for _, capacity := range []int{math.MinInt, -1, 0, 1<<24 + 1, math.MaxInt} {
		if q, err := stages.NewQueue[int](nil, capacity); q != nil || !errors.Is(err, stages.ErrInvalidCapacity) {
			t.Errorf("NewQueue(%d) = %v, %v, want nil, ErrInvalidCapacity", capacity, q, err)
		}
	}
}

func TestQueue_NilAndZero(t *testing.T) {
	t.Parallel()
	for name, q := range map[string]*stages.Queue[int]{"nil": nil, "zero": {}} {
		if err := q.Put(t.Context(), 1); err != stages.ErrQueueClosed {
			t.Errorf("%s: Put = %v, want ErrQueueClosed", name, err)
		}
		if _, err := q.Take(t.Context()); err != stages.ErrQueueClosed {
			t.Errorf("%s: Take = %v, want ErrQueueClosed", name, err)
		}
		for range q.All(t.Context()) {
			t.Errorf("%s: All yields an item", name)
		}
		q.Close()
		if got, want := q.Stats(), (observe.QueueStats{Done: true}); got != want {
			t.Errorf("%s: Stats = %+v, want %+v", name, got, want)
		}
	}
	item := stages.Item[int]{}
	if got := item.Context(t.Context()); got != t.Context() {
		t.Errorf("Context of a zero Item = %v, want the argument", got)
	}
	if !item.Remote().IsEmpty() {
		t.Errorf("Remote of a zero Item = %v, want an empty one", item.Remote())
	}
}

func TestQueue_NilStageAndContext(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*stages.Stage{"nil": nil, "zero": {}} {
		q := mustQueue(t, s, 1)
		mustPut(t, q, nil, 7)
		item, err := q.Take(nil)                                       //nolint:staticcheck // The test.
		if err != nil || item.Value != 7 || item.Context(nil) == nil { //nolint:staticcheck // The test.
			t.Errorf("%s: Take = %v, %v, want 7, nil", name, item.Value, err)
		}
	}
}

func TestQueue_ClosedQueueRefusesAndDrains(t *testing.T) {
	t.Parallel()
	q, _ := newQueue(t, 2)
	mustPut(t, q, t.Context(), 1, 2)
	q.Close()
	q.Close()
	if err := q.Put(t.Context(), 3); err != stages.ErrQueueClosed {
		t.Errorf("Put = %v, want ErrQueueClosed", err)
	}
	if got := q.Stats(); got.Done || got.Rows != 2 {
		t.Errorf("Stats = %+v, want 2 rows, not done", got)
	}
	for want := 1; want <= 2; want++ {
		if item, err := q.Take(t.Context()); err != nil || item.Value != want {
			t.Errorf("Take = %d, %v, want %d, nil", item.Value, err, want)
		}
	}
	if _, err := q.Take(t.Context()); err != stages.ErrQueueClosed {
		t.Errorf("Take of a drained queue = %v, want ErrQueueClosed", err)
	}
	if err := q.Put(t.Context(), 3); err != stages.ErrQueueClosed || !q.Stats().Done {
		t.Errorf("Put into a drained queue = %v, %+v, want ErrQueueClosed, done", err, q.Stats())
	}
}

// A consumer that is gone blocks its producers until their context is done or the
// queue is closed, and no longer.
func TestQueue_ConsumerDies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, _ := newQueue(t, 1)
		mustPut(t, q, t.Context(), 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := q.Put(ctx, 2); err != context.DeadlineExceeded {
			t.Errorf("Put = %v, want DeadlineExceeded", err)
		}
		refused := make(chan error)
		for range 8 {
			go func() { refused <- q.Put(t.Context(), 3) }()
		}
		synctest.Wait()
		q.Close()
		for range 8 {
			if err := <-refused; err != stages.ErrQueueClosed {
				t.Errorf("Put that waited = %v, want ErrQueueClosed", err)
			}
		}
		if item, err := q.Take(t.Context()); err != nil || item.Value != 1 {
			t.Errorf("Take = %d, %v, want 1, nil", item.Value, err)
		}
		if _, err := q.Take(t.Context()); err != stages.ErrQueueClosed {
			t.Errorf("Take = %v, want ErrQueueClosed", err)
		}
	})
}

func TestQueue_DoneContext(t *testing.T) {
	t.Parallel()
	done, cancel := context.WithCancel(t.Context())
	cancel()
	q, _ := newQueue(t, 2)
	mustPut(t, q, t.Context(), 1)
	if err := q.Put(done, 2); err != context.Canceled {
		t.Errorf("Put = %v, want Canceled, though there is room", err)
	}
	if _, err := q.Take(done); err != context.Canceled {
		t.Errorf("Take = %v, want Canceled, though an item waits", err)
	}
	for range q.All(done) {
		t.Error("All yields an item, want none")
	}
	if got := q.Stats().Rows; got != 1 {
		t.Errorf("%d items, want the 1 that was put", got)
	}
}

func TestQueue_TakeWaitsForItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, _ := newQueue(t, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := q.Take(ctx); err != context.DeadlineExceeded {
			t.Errorf("Take = %v, want DeadlineExceeded", err)
		}
		closed := make(chan error)
		go func() { _, err := q.Take(t.Context()); closed <- err }()
		synctest.Wait()
		q.Close()
		if err := <-closed; err != stages.ErrQueueClosed {
			t.Errorf("Take that waited = %v, want ErrQueueClosed", err)
		}
	})
}

// hostileDone is a context that panics when a Put waits for it.
type hostileDone struct{ context.Context } //nolint:containedctx // It is a context.

func (hostileDone) Done() <-chan struct{} { panic("Done") }

// doneWithoutErr is a context that breaks the rule that Err is not nil if Done is closed.
type doneWithoutErr struct{ context.Context } //nolint:containedctx // It is a context.

func (doneWithoutErr) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

func TestQueue_DoneContextWithoutAnError(t *testing.T) {
	t.Parallel()
	q, _ := newQueue(t, 1)
	ctx := doneWithoutErr{t.Context()}
	if item, err := q.Take(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Take of an empty queue = %v, %v, want %v", item.Value, err, context.Canceled)
	}
	if err := q.Put(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := q.Put(ctx, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("Put into a full queue = %v, want %v", err, context.Canceled)
	}
}

func TestQueue_PanicOfAContextLeavesTheQueueWhole(t *testing.T) {
	t.Parallel()
	q, _ := newQueue(t, 1)
	mustPut(t, q, t.Context(), 1)
	if got := recovered(func() { _ = q.Put(hostileDone{t.Context()}, 2) }); got != "Done" {
		t.Errorf("recovered %v, want the panic of the context", got)
	}
	q.Close()
	if item, err := q.Take(t.Context()); err != nil || item.Value != 1 {
		t.Errorf("Take = %d, %v, want 1, nil", item.Value, err)
	}
	if _, err := q.Take(t.Context()); err != stages.ErrQueueClosed {
		t.Errorf("Take = %v, want ErrQueueClosed", err)
	}
}

// What Put accepted is taken once, whenever the queue is closed and contexts end.
func TestQueue_NothingIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ producers, consumers, capacity, races int }{
		{producers: 1, consumers: 1, capacity: 1, races: 3000},
		{producers: 2, consumers: 2, capacity: 1, races: 3000},
		{producers: 8, consumers: 2, capacity: 4, races: 3000},
		{producers: 64, consumers: 64, capacity: 16, races: 1000},
	} {
		t.Run(fmt.Sprintf("producers=%d consumers=%d capacity=%d", tt.producers, tt.consumers, tt.capacity), func(t *testing.T) {
			t.Parallel()
			if testing.Short() {
				tt.races /= 10
			}
			for range tt.races {
				raceQueue(t, tt.producers, tt.consumers, tt.capacity)
			}
		})
	}
}

// raceQueue closes a queue while it is used, and compares what was put with what
// was taken.
func raceQueue(t *testing.T, producers, consumers, capacity int) {
	t.Helper()
	const each = 8
	q := mustQueue(t, nil, capacity)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	accepted := make([]atomic.Int32, producers*each)
	taken := make([]atomic.Int32, producers*each)
	var all sync.WaitGroup
	for p := range producers {
		all.Go(func() {
			for i := range each {
				item := p*each + i
				if q.Put(ctx, item) == nil {
					accepted[item].Add(1)
				}
			}
		})
	}
	for range consumers {
		all.Go(func() {
			for _, item := range q.All(ctx) {
				taken[item].Add(1)
			}
		})
	}
	all.Go(q.Close)
	all.Go(q.Close)
	all.Go(func() {
		runtime.Gosched()
		cancel()
	})
	all.Wait()
	for _, item := range q.All(t.Context()) { // What the consumers left when their context ended.
		taken[item].Add(1)
	}
	for i := range accepted {
		if accepted[i].Load() != taken[i].Load() {
			t.Fatalf("item %d was accepted %d times and taken %d times", i, accepted[i].Load(), taken[i].Load())
		}
	}
	if got := q.Stats(); !got.Done || got.Rows != 0 {
		t.Fatalf("Stats = %+v, want no rows, done", got)
	}
}

// Producers that wait are served in their order, also if one of them leaves.
func TestQueue_WaitingProducersKeepTheirOrder(t *testing.T) {
	t.Parallel()
	for leaves := range 4 {
		t.Run(fmt.Sprintf("producer %d leaves", leaves), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q, _ := newQueue(t, 1)
				mustPut(t, q, t.Context(), -1)
				ctx, cancel := context.WithCancel(t.Context())
				want := []int{-1}
				for i := range 4 {
					own := t.Context()
					if i == leaves {
						own = ctx
					} else {
						want = append(want, i)
					}
					go func() { _ = q.Put(own, i) }()
					synctest.Wait()
				}
				cancel()
				synctest.Wait()
				var got []int
				for range want {
					item, _ := q.Take(t.Context())
					got = append(got, item.Value)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("items (-want +got)\n%s", diff)
				}
				if rows := q.Stats().Rows; rows != 0 {
					t.Errorf("%d items are left, want none", rows)
				}
			})
		})
	}
}

// An item that is put goes to the consumer that has waited longest.
func TestQueue_WaitingConsumersKeepTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, _ := newQueue(t, 1)
		got := make([]int, 4)
		for i := range got {
			go func() {
				item, _ := q.Take(t.Context())
				got[i] = item.Value
			}()
			synctest.Wait()
		}
		for i := range got {
			mustPut(t, q, t.Context(), i+1)
		}
		synctest.Wait()
		if diff := cmp.Diff([]int{1, 2, 3, 4}, got); diff != "" {
			t.Errorf("items by consumer (-want +got)\n%s", diff)
		}
	})
}

func TestQueue_BlockedTimeIncludesThoseThatWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, p := newQueue(t, 1)
		blocked := func(want time.Duration) {
			t.Helper()
			if got := p.queues[0].Stats().Blocked; got != want {
				t.Errorf("Blocked = %v, want %v", got, want)
			}
		}
		mustPut(t, q, t.Context(), 1)
		blocked(0)
		var producers sync.WaitGroup
		for range 3 {
			producers.Go(func() { _ = q.Put(t.Context(), 2) })
		}
		time.Sleep(time.Second)
		blocked(3 * time.Second)
		_, _ = q.Take(t.Context()) // One of three goes on.
		synctest.Wait()
		time.Sleep(time.Second)
		blocked(5 * time.Second)
		q.Close()
		producers.Wait()
		time.Sleep(time.Hour)
		blocked(5 * time.Second)
	})
}

func TestQueue_WaitingTimes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		items    int
		interval time.Duration
		want     int // How many items are measured.
	}{
		{name: "slow: every item", items: 610, interval: 20 * time.Millisecond, want: 610},
		{name: "fast: one of 61 after the first", items: 6100, interval: time.Millisecond, want: 60 + 100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q, p := newQueue(t, 1)
				for i := range tt.items {
					mustPut(t, q, t.Context(), i)
					time.Sleep(tt.interval)
					_, _ = q.Take(t.Context())
				}
				if len(p.waits) != tt.want {
					t.Errorf("%d items are measured, want %d", len(p.waits), tt.want)
				}
				for _, d := range p.waits {
					if d != tt.interval {
						t.Fatalf("an item waited %v, want %v", d, tt.interval)
					}
				}
			})
		})
	}
}

// An observer that keeps what it was given does not keep the queue.
func TestQueue_ObserverDoesNotKeepIt(t *testing.T) {
	t.Parallel()
	p := &queueProbe{probe: newProbe()}
	s := newRig(t, stages.WithObserver(p)).Stage
	collected := make(chan struct{})
	func() {
		q := mustQueue(t, s, 4)
		mustPut(t, q, t.Context(), 1, 2)
		if got, want := p.queues[0].Stats(), (observe.QueueStats{Rows: 2, Capacity: 4}); got != want {
			t.Errorf("Stats = %+v, want %+v", got, want)
		}
		runtime.AddCleanup(q, func(c chan struct{}) { close(c) }, collected)
	}()
	for {
		runtime.GC()
		select {
		case <-collected:
			if got, want := p.queues[0].Stats(), (observe.QueueStats{Capacity: 4, Done: true}); got != want {
				t.Errorf("Stats = %+v, want %+v", got, want)
			}
			return
		case <-t.Context().Done():
			t.Fatal("the queue is still in memory")
		default:
			runtime.Gosched()
		}
	}
}

func (hostileRuns) Queue(observe.StageQueue)               { panic("Queue") }
func (hostileRuns) Waited(context.Context, time.Duration)  { panic("Waited") }
func (hostileRuns) Batched(context.Context, observe.Batch) { panic("Batched") }

func TestQueue_HostileObserver(t *testing.T) {
	t.Parallel()
	drops := map[string]int{}
	r := newRig(t, stages.WithObserver(observerFunc(func() observe.RunObserver { return countsDrops{drops: drops} })))
	q := mustQueue(t, r.Stage, 1)
	mustPut(t, q, t.Context(), 7)
	if item, err := q.Take(t.Context()); err != nil || item.Value != 7 {
		t.Errorf("Take = %d, %v, want 7, nil", item.Value, err)
	}
	if got := drops["observer"]; got != 2 {
		t.Errorf("%d drops, want 2: of Queue and of Waited", got)
	}
}

func TestQueue_ConcurrentUse(t *testing.T) {
	t.Parallel()
	for _, goroutines := range []int{2, 8, 32, 128} {
		t.Run(strconv.Itoa(goroutines), func(t *testing.T) {
			t.Parallel()
			q, p := newQueue(t, 3)
			var producers, others sync.WaitGroup
			var sum atomic.Int64
			for range goroutines {
				producers.Go(func() {
					for range 50 {
						mustPut(t, q, t.Context(), 1)
					}
				})
				others.Go(func() {
					for _, item := range q.All(t.Context()) {
						sum.Add(int64(item))
						_ = p.queues[0].Stats()
					}
				})
			}
			producers.Wait()
			q.Close()
			others.Wait()
			if got, want := sum.Load(), int64(50*goroutines); got != want {
				t.Errorf("%d items taken, want %d", got, want)
			}
		})
	}
}
