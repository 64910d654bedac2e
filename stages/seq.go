// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"iter"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
)

// Seq returns a sequence of the same type as seq, whose rows are produced on the
// stage: each time code ranges over it is one run. A sequence that nobody ranges
// over has no run.
//
// The duration of the run is the time in which seq produced rows. The time that seq
// waited for the code that ranges over it, which works on the rows, is recorded
// apart, as [observe.RunEnd].Downstream. The span covers both. The code that ranges
// has its own context, and not that of the run.
//
// A row that is yielded without an error is counted as read and written. Do not
// count it again; a producer that drops rows counts those with [Run.Read]. Counts
// are observed after 64 rows or 100 milliseconds, whichever is first, and at the
// end. An error is not a row. A rejection, see [Reject], is a row that was read and
// rejected. The first other error decides the outcome; whether more rows follow it
// is up to seq.
//
// If the code that ranges stops early, the outcome is a success, unless seq had
// yielded an error, and the span has the attribute etl.stopped_early. If that code
// panics, or calls [runtime.Goexit], the panic continues with the same value, and the
// outcome is cancelled: the stage has not failed. A panic of seq is recorded and
// continues; with [WithPanicAsError] it is yielded as the last error instead, if the
// code that ranges still listens.
//
// A sequence that is pulled with [iter.Pull2] ends its run when it is exhausted or
// stopped. If it is neither, its goroutine and its run remain, as they do without
// a stage.
//
// A nil ctx is treated as [context.Background]. If seq is nil, the sequence yields
// [ErrNilFunc]. If s is nil, Seq returns seq. The sequence may be ranged over by
// several goroutines at once if seq may be. To give seq the context of its run, use
// [SeqFunc].
func Seq[T any](ctx context.Context, s *Stage, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	if seq == nil {
		return failed[T](ErrNilFunc)
	}
	if s.isZero() {
		return seq
	}
	return SeqFunc(ctx, s, func(context.Context) iter.Seq2[T, error] { return seq })
}

// SeqFunc is [Seq] for a function that returns a sequence, as functions that query a
// database do. It is called when code ranges over the result, with the context of the
// run: spans that it starts are children of the span of the run, and [FromContext]
// returns the [Run]. If fn or its result is nil, the sequence yields [ErrNilFunc].
func SeqFunc[T any](ctx context.Context, s *Stage, fn func(context.Context) iter.Seq2[T, error]) iter.Seq2[T, error] {
	if fn == nil {
		return failed[T](ErrNilFunc)
	}
	ctx = safe.Context(ctx)
	return func(yield func(T, error) bool) {
		if s.isZero() {
			orFailed(fn(ctx))(yield)
			return
		}
		r := &sequence{call: s.begin(ctx, s.startOptions)}
		if err := produce(r, fn, yield); err != nil {
			if !r.isRanged() {
				panic(err) // A panic(nil) that nobody can be told of as an error.
			}
			var zero T
			yield(zero, err)
		}
	}
}

// Values returns a sequence for [Seq] that yields the values of seq and no errors.
// If seq is nil, so is the result.
func Values[T any](seq iter.Seq[T]) iter.Seq2[T, error] {
	if seq == nil {
		return nil
	}
	return func(yield func(T, error) bool) {
		seq(func(value T) bool { return yield(value, nil) })
	}
}

// failed returns a sequence that yields err.
func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		yield(zero, err)
	}
}

func orFailed[T any](seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	if seq == nil {
		return failed[T](ErrNilFunc)
	}
	return seq
}

// produce passes the rows of fn on to yield, as the run r. It returns a panic that
// has become an error.
func produce[T any](r *sequence, fn func(context.Context) iter.Seq2[T, error], yield func(T, error) bool) (err error) {
	defer r.end(&err)
	orFailed(fn(r.call))(func(row T, err error) bool {
		r.leave(err)
		var more bool // Yields also after it was false: then yield panics, as it would without a stage.
		if err == nil {
			more = yield(row, nil)
		} else {
			more = yieldCounted(yield, row, err)
		}
		r.enter()
		if !more {
			r.stopped.Store(true)
		}
		return more
	})
	r.returned = true
	return nil
}

// When the rows of a sequence are observed: so that a long run shows its progress,
// and a row costs no call of the observer.
const (
	countRows     = 64
	countInterval = 100 * time.Millisecond
)

// sequence is the run of a stage that yields rows. Its fields are atomic because a
// producer may yield from several goroutines, one after another.
type sequence struct {
	*call

	rows     atomic.Int64 // Not observed yet.
	observed atomic.Int64 // When rows were last observed, since the start.
	stopped  atomic.Bool  // Reports whether the code that ranges has had enough.
	failure  atomic.Pointer[failure]

	// downstream is the time spent in the code that ranges. While that code is
	// running, the time since the start is yet to be added, so it is below 0.
	downstream atomic.Int64
}

// failure is the first error that decides the outcome of a sequence.
type failure struct {
	err       error
	outcome   observe.Outcome
	errorType string
}

// now returns the time since the start and 1, so that it is never 0.
func (q *sequence) now() int64 { return int64(clock.Now()-q.started) + 1 }

// at returns the reading of the clock at now.
func (q *sequence) at(now int64) time.Duration { return q.started + time.Duration(now-1) }

// leave counts what is yielded, a row or err, and starts the time downstream.
func (q *sequence) leave(err error) {
	now := q.now()
	switch {
	case err != nil:
		q.fail(err)
		now = q.now()
	case q.rows.Add(1) >= countRows || time.Duration(now-q.observed.Load()) >= countInterval:
		q.observe(now)
	}
	q.downstream.Add(-now)
}

// enter ends the time downstream.
func (q *sequence) enter() { q.downstream.Add(q.now()) }

// observe reports the rows that are not observed yet.
func (q *sequence) observe(now int64) {
	rows := int(q.rows.Swap(0))
	q.observed.Store(now)
	q.run.Read(rows)
	q.run.Wrote(rows)
}

// fail counts the rejection err, or judges err if it is the first that is none.
func (q *sequence) fail(err error) {
	if q.countRejected(err) {
		q.run.Read(1)
		return
	}
	if q.failure.Load() != nil {
		return
	}
	f := &failure{err: err}
	if f.outcome, f.errorType = q.classify(err); f.outcome != observe.OutcomeSuccess {
		q.failure.CompareAndSwap(nil, f)
	}
}

// countRejected is that of a run, which also leaves out what another run has counted:
// what the producer calls need not have the context of the sequence.
func (q *sequence) countRejected(err error) bool {
	defer q.run.stage.contain(observe.DropErrorType)
	return rejected(err, func(r *rejectedError) {
		if !r.takeReturned() {
			q.countRejection(r)
		}
	})
}

// isAbandoned reports whether the code that ranges never returned: it panicked or
// called Goexit. What happens in it after it has stopped is the producer's doing.
func (q *sequence) isAbandoned() bool { return q.downstream.Load() < 0 && !q.stopped.Load() }

// isRanged reports whether the code that ranges still wants rows.
func (q *sequence) isRanged() bool { return !q.stopped.Load() && !q.isAbandoned() }

// end records how the sequence ended. Like [call.end] it must be deferred directly.
func (q *sequence) end(err *error) {
	value := recover()
	now := q.now()
	q.observe(now)
	var end observe.RunEnd
	if end.Downstream = time.Duration(q.downstream.Load()); end.Downstream < 0 {
		end.Downstream += time.Duration(now)
	}
	end.Duration = time.Duration(now-1) - end.Downstream
	var cause error
	first := q.failure.Load()
	abandoned := q.isAbandoned()
	continues := value != nil
	switch {
	case value != nil && !abandoned:
		panicked := &PanicError{Value: value}
		cause = panicked
		end.Outcome, end.ErrorType = observe.OutcomePanic, observe.ErrorTypePanic
		if q.run.stage.panicAsError && q.isRanged() {
			panicked.Stack = debug.Stack()
			*err = panicked
			continues = false
		}
	case first != nil:
		cause, end.Outcome, end.ErrorType = first.err, first.outcome, first.errorType
	case abandoned || !q.returned:
		end.Outcome, end.ErrorType = observe.OutcomeCanceled, observe.ErrorTypeCanceled
	}
	if value == nil && !q.returned {
		*err = errPanicNil() // See [call.end].
	}
	if abandoned || q.stopped.Load() {
		q.setAttribute(stoppedEarlyKey.Bool(true))
	}
	if abandoned {
		q.close(end, q.at(now), cause, nil)
	} else {
		q.close(end, q.at(now), cause, value)
	}
	if continues {
		panic(value)
	}
}
