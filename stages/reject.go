// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"sync"
	"sync/atomic"
	"weak"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
)

// Reject returns err as a rejection: an error that a stage does not count as a
// failure, but as one rejected row. Return it from the function of a stage when
// the input is bad and the stage is well:
//
//	if row.Price == 0 {
//		return stages.Reject(errNoPrice, "no_price")
//	}
//
// The outcome of the run is a success, with one rejected row for the reason, as
// if the function had called [Run.Rejected]. The function's caller receives the
// error unchanged: it has the text of err, and [errors.Is] and [errors.As] find
// what err wraps.
//
// A rejected row is counted once, by the innermost run that returns the error, or by
// the first sequence of [Seq] that yields it. The runs around it, such as that of the
// pipeline, and the sequences that pass it on, count nothing. A rejection may be kept in
// a variable and returned for many rows, but then give each sequence and each goroutine
// that yields it one of its own.
//
// If rejections are joined, one for each bad row of a batch for example, each of
// them is counted, up to 65,536. If a rejection is joined with another error, the
// rejections are counted and the run is judged by the whole error. A rejection of
// a rejection is one, with the outer reason.
//
// The reason is a label: choose it from a small set, and put no data of the row
// in it. If err is nil, Reject returns nil.
func Reject(err error, reason string) error {
	if err == nil {
		return nil
	}
	return &rejectedError{error: err, reason: reason, inner: rejectionOf(err)}
}

// RejectReason returns the reason of the first rejection in the tree of err. It
// reports false if err is not and does not wrap a rejection.
func RejectReason(err error) (reason string, ok bool) {
	if r := rejectionOf(err); r != nil {
		return r.reason, true
	}
	return "", false
}

// rejectionOf returns the first rejection in the tree of err, or nil.
func rejectionOf(err error) *rejectedError {
	defer safe.Contain() // The methods of err.
	for e := range observe.Tree(err) {
		if r, ok := e.(*rejectedError); ok { //nolint:errorlint // The walk of errors.As.
			return r
		}
	}
	return nil
}

// errorTypeRejected is the error.type of a rejection wherever it is treated as
// any error, such as on the span of a message.
const errorTypeRejected = "rejected"

type rejectedError struct {
	error

	reason  string
	inner   *rejectedError // The rejection that it rejects, or nil.
	counted bool           // Reports whether the row was counted before the error was returned.
	yields  atomic.Int32   // How many sequences have counted it and are yielding it now.

	// returned reports whether a run has counted it and returned it, and no sequence has
	// yielded it since.
	returned atomic.Bool
}

// takeReturned reports whether a run has counted the row of r and returned r, to be
// yielded now.
func (r *rejectedError) takeReturned() (taken bool) {
	for ; r != nil; r = r.inner {
		taken = r.returned.Swap(false) || taken
	}
	return taken
}

// isCountedWithin reports whether the row of r was counted, by a [Validator], by a
// run inside of c, or by a sequence that yields it now.
func (r *rejectedError) isCountedWithin(c *call) bool {
	within := c.counted.Load()
	for ; r != nil; r = r.inner {
		if r.counted || r.yields.Load() > 0 || within.has(r) {
			return true
		}
	}
	return false
}

// yieldCounted calls yield with err, whose rejections a sequence has counted.
func yieldCounted[T any](yield func(T, error) bool, row T, err error) bool {
	noteYield(err, 1)
	defer noteYield(err, -1)
	return yield(row, err)
}

func noteYield(err error, change int32) {
	defer safe.Contain() // The methods of err.
	rejected(err, func(r *rejectedError) { r.yields.Add(change) })
}

// rejectionSet is a set of rejections. It keeps none of them alive, and forgets
// the oldest, so that it may belong to a run of any length. A nil rejectionSet is
// empty.
type rejectionSet struct {
	mu             sync.Mutex
	recent, before map[weak.Pointer[rejectedError]]struct{}
}

func (s *rejectionSet) add(r *rejectedError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recent == nil || len(s.recent) >= maxRejections {
		s.recent, s.before = make(map[weak.Pointer[rejectedError]]struct{}), s.recent
	}
	s.recent[weak.Make(r)] = struct{}{}
}

func (s *rejectionSet) has(r *rejectedError) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := weak.Make(r)
	_, isRecent := s.recent[key]
	_, isBefore := s.before[key]
	return isRecent || isBefore
}

func (r *rejectedError) Unwrap() error     { return r.error }
func (r *rejectedError) ErrorType() string { return errorTypeRejected }

// The limits of a search for rejections. A batch may join one for each row, so only
// the depth is small: it ends the search in an error that wraps itself.
const (
	maxRejections     = 1 << 16
	maxRejectionDepth = 64
)

// rejected calls count for each rejection in the tree of err. It reports whether
// err consists of rejections alone.
func rejected(err error, count func(*rejectedError)) bool {
	s := rejections{left: maxRejections, count: count}
	return s.search(err, maxRejectionDepth)
}

// rejections is a search for rejections.
type rejections struct {
	left  int // Errors that may still be looked at.
	count func(*rejectedError)
}

func (s *rejections) search(err error, depth int) bool {
	if err == nil || depth == 0 || s.left == 0 {
		return false
	}
	s.left--
	switch e := err.(type) { //nolint:errorlint // The walk of errors.As.
	case *rejectedError:
		s.count(e)
		return true
	case interface{ Unwrap() error }:
		return s.search(e.Unwrap(), depth-1)
	case interface{ Unwrap() []error }:
		all := true
		found := false
		for _, joined := range e.Unwrap() {
			if joined != nil {
				found = true
				all = s.search(joined, depth-1) && all
			}
		}
		return found && all
	default:
		return false
	}
}
