// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

// step is one value that a sequence yields.
type step struct {
	row int
	err error
}

// yields returns a sequence of steps.
func yields(steps ...step) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for _, s := range steps {
			if !yield(s.row, s.err) {
				return
			}
		}
	}
}

func rows(n int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
	}
}

func TestSeq_PassesOnWhatIsYielded(t *testing.T) {
	t.Parallel()
	want := []step{{row: 1}, {err: errBoom}, {row: 2, err: context.Canceled}, {row: 3}}
	for name, s := range map[string]*stages.Stage{"stage": newRig(t).Stage, "nil stage": nil, "zero stage": {}} {
		for form, seq := range map[string]iter.Seq2[int, error]{
			"Seq":     stages.Seq(t.Context(), s, yields(want...)),
			"SeqFunc": stages.SeqFunc(t.Context(), s, func(context.Context) iter.Seq2[int, error] { return yields(want...) }),
		} {
			var got []step
			for row, err := range seq {
				got = append(got, step{row, err})
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, %s: yielded %v, want %v", name, form, got, want)
			}
			for row := range seq {
				if row == 1 {
					break
				}
				t.Errorf("%s, %s: goes on after the break", name, form)
			}
		}
	}
}

func TestSeq_Outcome(t *testing.T) {
	t.Parallel()
	never := func(int, error) bool { return false }
	first := func(int, error) bool { return true }
	onError := func(_ int, err error) bool { return err != nil }
	for _, tt := range []struct {
		name   string
		seq    iter.Seq2[int, error]
		stop   func(int, error) bool // Reports whether the loop stops here.
		want   observe.RunEnd
		early  string // The attribute etl.stopped_early.
		reason string
	}{
		{name: "all rows", seq: rows(3), stop: never, want: observe.RunEnd{Read: 3, Wrote: 3}},
		{name: "no rows", seq: rows(0), stop: never},
		{name: "stopped early", seq: rows(3), stop: first, want: observe.RunEnd{Read: 1, Wrote: 1}, early: "true"},
		{
			name: "error", seq: yields(step{row: 1}, step{err: errBoom}), stop: onError, early: "true",
			want: observe.RunEnd{Read: 1, Wrote: 1, Outcome: observe.OutcomeFailure, ErrorType: "boom"},
		},
		{
			name: "rows follow an error", seq: yields(step{err: errBoom}, step{row: 1}), stop: never,
			want: observe.RunEnd{Read: 1, Wrote: 1, Outcome: observe.OutcomeFailure, ErrorType: "boom"},
		},
		{
			name: "the first error decides", seq: yields(step{err: errBoom}, step{err: errOther}), stop: never,
			want: observe.RunEnd{Outcome: observe.OutcomeFailure, ErrorType: "boom"},
		},
		{
			name: "rejection", seq: yields(step{err: stages.Reject(errBoom, "bad")}, step{row: 1}), stop: never,
			want: observe.RunEnd{Read: 2, Wrote: 1, Rejected: 1}, reason: "bad",
		},
		{
			name: "error after a rejection", seq: yields(step{err: stages.Reject(errOther, "bad")}, step{err: errBoom}), stop: never,
			want: observe.RunEnd{Read: 1, Rejected: 1, Outcome: observe.OutcomeFailure, ErrorType: "boom"}, reason: "bad",
		},
		{
			name: "error of another context", seq: yields(step{err: context.Canceled}), stop: never,
			want: observe.RunEnd{Outcome: observe.OutcomeFailure, ErrorType: "canceled"},
		},
		{
			name: "nil sequence of a function", seq: nil, stop: never,
			want: observe.RunEnd{Outcome: observe.OutcomeFailure, ErrorType: "*errors.errorString"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, stages.WithErrorType(errBoom, "boom"))
			for row, err := range stages.SeqFunc(t.Context(), r.Stage, func(context.Context) iter.Seq2[int, error] { return tt.seq }) {
				if tt.stop(row, err) {
					break
				}
			}
			if diff := cmp.Diff(tt.want, r.probe.last(t)); diff != "" {
				t.Errorf("end (-want +got)\n%s", diff)
			}
			counts := map[string]int{"read": int(tt.want.Read), "wrote": int(tt.want.Wrote)}
			if tt.reason != "" {
				counts["rejected "+tt.reason] = int(tt.want.Rejected)
			}
			if diff := cmp.Diff(counts, r.probe.counts); diff != "" {
				t.Errorf("counts (-want +got)\n%s", diff)
			}
			span := r.span(t)
			if got := attributeOf(span, "etl.stopped_early"); got != tt.early {
				t.Errorf("etl.stopped_early = %q, want %q", got, tt.early)
			}
			if got := attributeOf(span, "error.type"); got != tt.want.ErrorType {
				t.Errorf("error.type = %q, want %q", got, tt.want.ErrorType)
			}
			if n := r.probe.inFlight.Load(); n != 0 {
				t.Errorf("%d in flight, want 0", n)
			}
		})
	}
}

var errOther = errors.New("other")

// An error is judged when it is yielded, and not when the sequence ends.
func TestSeq_ErrorIsJudgedWhenItIsYielded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range stages.Seq(ctx, r.Stage, yields(step{err: context.Canceled})) {
		cancel()
	}
	if got := r.probe.last(t).Outcome; got != observe.OutcomeFailure {
		t.Errorf("outcome = %v, want failure: the context was canceled later", got)
	}
	for range stages.Seq(ctx, r.Stage, yields(step{err: context.Canceled})) {
	}
	if got := r.probe.last(t).Outcome; got != observe.OutcomeCanceled {
		t.Errorf("outcome = %v, want cancelled", got)
	}
}

func TestSeq_Nil(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, seq := range map[string]iter.Seq2[int, error]{
		"Seq":     stages.Seq[int](t.Context(), r.Stage, nil),
		"SeqFunc": stages.SeqFunc[int](t.Context(), r.Stage, nil),
		"Values":  stages.Seq(t.Context(), r.Stage, stages.Values[int](nil)),
		"no stage": stages.SeqFunc(nil, nil, func(ctx context.Context) iter.Seq2[int, error] { //nolint:staticcheck // The test.
			if ctx == nil {
				t.Error("the context is nil")
			}
			return nil
		}),
	} {
		var got []error
		for _, err := range seq {
			got = append(got, err)
		}
		if !slices.Equal(got, []error{stages.ErrNilFunc}) {
			t.Errorf("%s: errors %v, want ErrNilFunc", name, got)
		}
	}
	if got := len(r.spans.GetSpans()); got != 0 {
		t.Errorf("%d spans, want none", got)
	}
}

func TestSeq_EachRangeIsARun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	seq := stages.Seq(t.Context(), r.Stage, rows(2))
	if got := len(r.probe.results); got != 0 {
		t.Errorf("%d runs before anyone ranges, want none", got)
	}
	for n := 1; n <= 2; n++ {
		for range seq {
		}
		if got := len(r.spans.GetSpans()); got != n || len(r.probe.results) != n {
			t.Errorf("%d spans, %d runs, want %d", got, len(r.probe.results), n)
		}
	}
}

func TestSeq_ConcurrentUse(t *testing.T) {
	t.Parallel()
	for _, goroutines := range []int{2, 16, 128} {
		t.Run(strconv.Itoa(goroutines), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			seq := stages.Seq(t.Context(), r.Stage, rows(100))
			var all sync.WaitGroup
			for range goroutines {
				all.Go(func() {
					for range seq {
					}
				})
			}
			all.Wait()
			if got := r.probe.counts["wrote"]; got != 100*goroutines || len(r.probe.results) != goroutines {
				t.Errorf("%d rows in %d runs, want %d in %d", got, len(r.probe.results), 100*goroutines, goroutines)
			}
		})
	}
}

func TestSeqFunc_ContextIsThatOfTheRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	query := mustStage(t, mustPipeline(t, stages.WithTracerProvider(r.spansProvider(t))), "query")
	seq := stages.SeqFunc(t.Context(), r.Stage, func(ctx context.Context) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			_ = query.Run(ctx, func(context.Context) error { return nil })
			stages.FromContext(ctx).BytesIn(100)
			yield(1, nil)
		}
	})
	for range seq {
	}
	if got := r.probe.last(t); got.BytesIn != 100 {
		t.Errorf("end = %+v, want 100 bytes in", got)
	}
	spans := r.spans.GetSpans()
	if len(spans) != 2 || spans[0].Parent.SpanID() != spans[1].SpanContext.SpanID() {
		t.Errorf("spans = %v, want a child of the run", spans)
	}
}

func TestSeq_TimeDownstreamIsApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		seq := stages.Seq(t.Context(), r.Stage, func(yield func(int, error) bool) {
			for i := range 3 {
				time.Sleep(time.Second)
				yield(i, nil)
			}
			time.Sleep(time.Second)
		})
		for range seq {
			time.Sleep(10 * time.Second)
		}
		got := r.probe.results[0]
		if got.Duration != 4*time.Second || got.Downstream != 30*time.Second {
			t.Errorf("duration = %v, downstream = %v, want 4s, 30s", got.Duration, got.Downstream)
		}
		if got := attributeOf(r.span(t), "etl.downstream_seconds"); got != "30" {
			t.Errorf("etl.downstream_seconds = %s, want 30", got)
		}
	})
}

// The time of a loop that never returned is its own.
func TestSeq_TimeDownstreamOfALoopThatPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_ = recovered(func() {
			for range stages.Seq(t.Context(), r.Stage, rows(3)) {
				time.Sleep(10 * time.Second)
				panic(errBoom)
			}
		})
		if got := r.probe.results[0]; got.Duration != 0 || got.Downstream != 10*time.Second {
			t.Errorf("duration = %v, downstream = %v, want 0, 10s", got.Duration, got.Downstream)
		}
	})
}

// A run that takes hours shows its progress.
func TestSeq_RowsAreObservedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		interval time.Duration
		rows     int
		want     int // Observed when the last row is yielded.
	}{
		{name: "after 64 rows", rows: 130, want: 128},
		{name: "after 100 milliseconds", rows: 25, interval: 10 * time.Millisecond, want: 20},
		{name: "each of slow rows", rows: 5, interval: time.Second, want: 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				observed := 0
				for row := range stages.Seq(t.Context(), r.Stage, func(yield func(int, error) bool) {
					for i := range tt.rows {
						time.Sleep(tt.interval)
						yield(i, nil)
					}
				}) {
					if row == tt.rows-1 {
						observed = r.probe.counts["wrote"]
					}
				}
				if observed != tt.want || r.probe.counts["wrote"] != tt.rows {
					t.Errorf("%d rows observed before the end, %d at the end, want %d, %d", observed, r.probe.counts["wrote"], tt.want, tt.rows)
				}
			})
		})
	}
}

func TestSeq_PanicOfTheProducer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		opts    []stages.Option
		stop    bool
		yielded int // The errors that the loop sees.
	}{
		{name: "continues"},
		{name: "continues after a break", stop: true},
		{name: "is yielded", opts: []stages.Option{stages.WithPanicAsError()}, yielded: 1},
		{name: "continues after a break, though it would be yielded", opts: []stages.Option{stages.WithPanicAsError()}, stop: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tt.opts...)
			yielded := 0
			value := recovered(func() {
				for _, err := range stages.Seq(t.Context(), r.Stage, func(yield func(int, error) bool) {
					yield(1, nil)
					_ = panicsDeepInside()
				}) {
					if err != nil {
						yielded++
						var panicked *stages.PanicError
						if !errors.As(err, &panicked) || !errors.Is(err, errBoom) || !strings.Contains(string(panicked.Stack), "panicsDeepInside") {
							t.Errorf("error = %v, want a PanicError with its stack", err)
						}
					}
					if tt.stop {
						break
					}
				}
			})
			if want := any(errBoom); (value == nil) != (tt.yielded == 1) || value != nil && value != want || yielded != tt.yielded {
				t.Errorf("recovered %v, yielded %d errors, want %d", value, yielded, tt.yielded)
			}
			if got := r.probe.last(t); got.Outcome != observe.OutcomePanic || got.ErrorType != "panic" || got.Wrote != 1 {
				t.Errorf("end = %+v, want a panic after a row", got)
			}
			span := r.span(t)
			if span.Status.Code != codes.Error {
				t.Errorf("status = %v, want Error", span.Status)
			}
			eventAttributes(t, span)
		})
	}
}

// The code that ranges may fail; the stage has not.
func TestSeq_PanicOfTheLoop(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]stages.Option{"default": nil, "panics as errors": {stages.WithPanicAsError()}} {
		r := newRig(t, opts...)
		value := recovered(func() {
			for range stages.Seq(t.Context(), r.Stage, rows(3)) {
				panic(errBoom)
			}
		})
		if value != errBoom {
			t.Errorf("%s: recovered %v, want %v", name, value, errBoom)
		}
		want := observe.RunEnd{Outcome: observe.OutcomeCanceled, ErrorType: "canceled", Read: 1, Wrote: 1}
		if diff := cmp.Diff(want, r.probe.last(t)); diff != "" {
			t.Errorf("%s: end (-want +got)\n%s", name, diff)
		}
		if span := r.span(t); span.Status.Code != codes.Unset || len(span.Events) != 0 || attributeOf(span, "etl.stopped_early") != "true" {
			t.Errorf("%s: span = %v, %v, %v, want Unset, no event, stopped early", name, span.Status, span.Events, span.Attributes)
		}
	}
}

func TestSeq_Goexit(t *testing.T) {
	t.Parallel()
	for name, fn := range map[string]func(seq iter.Seq2[int, error]){
		"of the producer": func(seq iter.Seq2[int, error]) {
			for row := range seq {
				if row == 1 {
					t.Error("the producer goes on")
				}
			}
		},
		"of the loop": func(seq iter.Seq2[int, error]) {
			for range seq {
				runtime.Goexit()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			returned := false
			done := make(chan struct{})
			go func() {
				defer close(done)
				fn(stages.Seq(t.Context(), r.Stage, func(yield func(int, error) bool) {
					yield(0, nil)
					runtime.Goexit()
				}))
				returned = true
			}()
			<-done
			if returned {
				t.Error("Goexit did not end the goroutine")
			}
			want := observe.RunEnd{Outcome: observe.OutcomeCanceled, ErrorType: "canceled", Read: 1, Wrote: 1}
			if diff := cmp.Diff(want, r.probe.last(t)); diff != "" {
				t.Errorf("end (-want +got)\n%s", diff)
			}
			r.span(t)
		})
	}
}

// With this setting recover cannot tell a panic(nil) from Goexit, but nothing that
// panicked may look like the end of the rows. Not parallel: it sets the environment.
func TestSeq_PanicOfNilThatLooksLikeGoexit(t *testing.T) {
	t.Setenv("GODEBUG", "panicnil=1")
	var nilPanic *runtime.PanicNilError
	var yielded error
	for _, err := range stages.Seq(t.Context(), newRig(t).Stage, func(func(int, error) bool) { panic(nil) }) { //nolint:govet // The test.
		yielded = err
	}
	if !errors.As(yielded, &nilPanic) {
		t.Errorf("yielded %v, want a PanicNilError", yielded)
	}
	value := recovered(func() {
		stages.Seq(t.Context(), newRig(t).Stage, rows(1))(func(int, error) bool { panic(nil) }) //nolint:govet // The test.
	})
	if err, ok := value.(error); !ok || !errors.As(err, &nilPanic) {
		t.Errorf("recovered %v, want a PanicNilError", value)
	}
}

// A producer that ignores that the loop has stopped fails as it does without a stage.
func TestSeq_ProducerIgnoresTheStop(t *testing.T) {
	t.Parallel()
	for name, seq := range map[string]iter.Seq2[int, error]{
		"it goes on": func(yield func(int, error) bool) {
			for i := range 3 {
				yield(i, nil)
			}
		},
		"it yields from a defer": func(yield func(int, error) bool) {
			defer yield(1, nil)
			yield(0, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stop := func(seq iter.Seq2[int, error]) (value any, seen int) {
				value = recovered(func() {
					for range seq {
						seen++
						break
					}
				})
				return value, seen
			}
			r := newRig(t)
			want, wantSeen := stop(seq)
			got, gotSeen := stop(stages.Seq(t.Context(), r.Stage, seq))
			if want == nil || fmt.Sprint(got) != fmt.Sprint(want) || gotSeen != wantSeen {
				t.Errorf("recovered %v after %d rows, want %v after %d", got, gotSeen, want, wantSeen)
			}
			if got := r.probe.last(t).Outcome; got != observe.OutcomePanic {
				t.Errorf("outcome = %v, want panic", got)
			}
			r.span(t)
		})
	}
}

// A producer may yield from several goroutines if the code that it calls is made for
// that; the stage adds no race.
func TestSeq_ProducerYieldsFromSeveralGoroutines(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var sum atomic.Int64
	stages.Seq(t.Context(), r.Stage, func(yield func(int, error) bool) {
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() {
				for range 100 {
					yield(1, nil)
					yield(0, errBoom)
				}
			})
		}
		all.Wait()
	})(func(row int, _ error) bool {
		sum.Add(int64(row))
		return true
	})
	if got := r.probe.last(t); got.Wrote != 3200 || sum.Load() != 3200 || got.Outcome != observe.OutcomeFailure {
		t.Errorf("end = %+v, sum = %d, want 3200 rows, a failure", got, sum.Load())
	}
}

func TestSeq_Pull(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	next, stop := iter.Pull2(stages.Seq(t.Context(), r.Stage, rows(3)))
	if row, err, ok := next(); row != 0 || err != nil || !ok {
		t.Errorf("next = %d, %v, %t, want 0, nil, true", row, err, ok)
	}
	if got := len(r.probe.results); got != 0 {
		t.Errorf("%d runs have ended, want none before stop", got)
	}
	stop()
	stop()
	want := observe.RunEnd{Read: 1, Wrote: 1}
	if diff := cmp.Diff(want, r.probe.last(t)); diff != "" || len(r.probe.results) != 1 {
		t.Errorf("%d runs, end (-want +got)\n%s", len(r.probe.results), diff)
	}
}

func TestSeq_HostileTelemetry(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]stages.Option{
		"observer": {stages.WithObserver(observerFunc(func() observe.RunObserver { return hostileDrops{} }))},
		"tracer":   {stages.WithTracerProvider(hostileProvider{})},
		"classifier": {stages.WithClassifier(func(context.Context, error) observe.Outcome {
			panic("classifier")
		})},
	} {
		n, failed := 0, 0
		for _, err := range stages.Seq(t.Context(), newRig(t, opts...).Stage, yields(step{row: 1}, step{err: errBoom}, step{row: 2})) {
			n++
			if err != nil {
				failed++
			}
		}
		if n != 3 || failed != 1 {
			t.Errorf("%s: %d values, %d errors, want 3, 1", name, n, failed)
		}
	}
}
