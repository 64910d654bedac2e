// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
)

// errorName maps an error to its type.
type errorName struct {
	target error
	name   string
}

// judge returns the outcome of a function that returned err, and the error type.
// It counts the rows that err rejects.
func (c *call) judge(err error) (observe.Outcome, string) {
	if err == nil || c.countRejected(err) {
		return observe.OutcomeSuccess, ""
	}
	return c.classify(err)
}

// classify returns the outcome of a function that failed with err, which is not a
// rejection, and the error type.
func (c *call) classify(err error) (observe.Outcome, string) {
	outcome := c.outcome(err)
	if outcome == observe.OutcomeFailure {
		return outcome, c.run.stage.errorType(err)
	}
	return outcome, outcome.ErrorType(err)
}

// countRejected counts the rows that err rejects, unless a run inside of c has, and
// reports whether err consists of rejections alone.
func (c *call) countRejected(err error) bool {
	defer c.run.stage.contain(observe.DropErrorType)
	return rejected(err, func(r *rejectedError) {
		if c.countRejection(r) {
			r.returned.Store(true)
		}
	})
}

// countRejection reports whether it has counted the row of r.
func (c *call) countRejection(r *rejectedError) bool {
	if r.isCountedWithin(c) {
		return false
	}
	c.run.Rejected(1, r.reason)
	c.noteCounted(r)
	return true
}

// noteCounted tells the runs around c that the row of r has been counted.
func (c *call) noteCounted(r *rejectedError) {
	defer safe.Contain() // The context of the user.
	for outer := callOf(c.Context); outer != nil; outer = callOf(outer.Context) {
		if outer.counted.Load() == nil {
			outer.counted.CompareAndSwap(nil, new(rejectionSet))
		}
		outer.counted.Load().add(r)
	}
}

func (c *call) outcome(err error) observe.Outcome {
	failedFirst := c.failedFirst()
	if outcome, ok := c.run.stage.ask(c, err); ok {
		return outcome
	}
	outcome := observe.Classify(c.Context, err)
	if outcome == observe.OutcomeCanceled && failedFirst && observe.IsBareCause(c.Context, err) {
		return observe.OutcomeFailure
	}
	return outcome
}

// ask calls the user's classifier. It reports false if there is none, or it has no
// answer.
func (s *Stage) ask(ctx context.Context, err error) (outcome observe.Outcome, ok bool) {
	if s.classifier == nil {
		return 0, false
	}
	defer s.contain(observe.DropClassifier)
	outcome = s.classifier(ctx, err)
	if int(outcome) >= observe.Outcomes {
		s.dropped(observe.DropClassifier)
		return 0, false
	}
	return outcome, true
}

// errorType returns the class of err: the user's name for it, or that of
// [observe.ErrorType], within the limit of the stage.
func (s *Stage) errorType(err error) string {
	name := s.errorName(err)
	if name == "" {
		name = observe.ErrorType(err)
	}
	if _, ok := s.errorTypes.Get(name); ok {
		return name
	}
	return observe.ErrorTypeOther
}

// errorName returns the name of the first error in the tree of err that the user
// has named.
func (s *Stage) errorName(err error) string {
	if len(s.errorNames) == 0 {
		return ""
	}
	defer s.contain(observe.DropErrorType)
	for e := range observe.Tree(err) {
		for _, known := range s.errorNames {
			if observe.Matches(e, known.target) {
				return known.name
			}
		}
	}
	return ""
}

// description returns the text of err that may be recorded.
func (s *Stage) description(err error) string {
	if s.describe == nil || err == nil {
		return ""
	}
	defer s.contain(observe.DropFormatter)
	return safe.Text(s.describe(err), safe.MaxValue)
}
