// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

func TestValidator_Validate(t *testing.T) {
	t.Parallel()
	for _, tt := range validations {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, opts := range map[string][]stages.ValidatorOption{"first": {nil}, "all": {stages.WithAllFailures()}} {
				r := newRig(t)
				v := stages.Must(stages.NewValidator(r.Stage, numberChecks(), opts...))
				err := stages.WrapErr(r.Stage, v.Validate)(t.Context(), tt.row)
				if reason, _ := stages.RejectReason(err); reason != tt.reason || (err == nil) != (tt.reason == "") {
					t.Errorf("%s: Validate(%d) = %v for %q, want reason %q", name, tt.row, err, reason, tt.reason)
				}
				want := tt.checks
				if name == "all" && tt.all != nil {
					want = tt.all
				}
				if diff := cmp.Diff(want, r.probe.checks, withoutName); diff != "" {
					t.Errorf("%s: checks (-want +got)\n%s", name, diff)
				}
				requireRejected(t, r, tt.reason)
				if end := r.probe.last(t); end.Outcome != observe.OutcomeSuccess || end.Rejected != int64(len(r.probe.counts)) {
					t.Errorf("%s: outcome %v, %d rejected, want success and what was counted", name, end.Outcome, end.Rejected)
				}
			}
		})
	}
}

func TestValidator_Errors(t *testing.T) {
	t.Parallel()
	v := stages.Must(stages.NewValidator(nil, numberChecks(), stages.WithAllFailures()))
	if err := v.Validate(t.Context(), 7); !errors.Is(err, errSchema) || err.Error() != `check "schema": missing field` {
		t.Errorf("Validate(7) = %v, want the error of the check", err)
	}
	if err := v.Validate(t.Context(), -1); err.Error() != "check \"positive\" failed\ncheck \"even\" failed" {
		t.Errorf("Validate(-1) = %v, want both failures", err)
	}
	panicked, ok := errors.AsType[*stages.PanicError](v.Validate(t.Context(), 13))
	if !ok || panicked.Value != "unlucky" || !strings.Contains(string(panicked.Stack), "numberChecks") {
		t.Errorf("Validate(13) = %+v, want the panic with its stack", panicked)
	}
}

func TestNewValidator_Errors(t *testing.T) {
	t.Parallel()
	yes := func(int) bool { return true }
	for _, tt := range []struct {
		name   string
		checks []stages.Check[int]
		want   error
	}{
		{name: "no name", checks: []stages.Check[int]{stages.NewCheck("", yes)}, want: stages.ErrInvalidName},
		{name: "name too long", checks: []stages.Check[int]{stages.NewCheck(strings.Repeat("x", 129), yes)}, want: stages.ErrInvalidName},
		{name: "name not UTF-8", checks: []stages.Check[int]{stages.NewCheck("\xff", yes)}, want: stages.ErrInvalidName},
		{name: "same name", checks: []stages.Check[int]{stages.NewCheck("a", yes), stages.NewCheck("b", yes), stages.NewCheck("a", yes)}, want: stages.ErrDuplicateCheck},
		{name: "nil function", checks: []stages.Check[int]{stages.NewCheck[int]("a", nil)}, want: stages.ErrNilFunc},
		{name: "zero check", checks: make([]stages.Check[int], 1), want: stages.ErrInvalidName},
		{name: "no checks"},
		{name: "longest name", checks: []stages.Check[int]{stages.NewCheck(strings.Repeat("x", 128), yes)}},
	} {
		v, err := stages.NewValidator(nil, tt.checks)
		if !errors.Is(err, tt.want) || (v == nil) != (tt.want != nil) {
			t.Errorf("%s: NewValidator = %v, %v, want error %v", tt.name, v, err, tt.want)
		}
	}
	other := stages.WithDeadLetter(func(context.Context, string, []*stages.CheckError) error { return nil })
	if v, err := stages.NewValidator(nil, numberChecks(), other); v != nil || err == nil || !strings.Contains(err.Error(), "type int") {
		t.Errorf("dead letters of another type: NewValidator = %v, %v, want an error that names int", v, err)
	}
}

func TestValidator_NilAndWithoutChecks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, v := range map[string]*stages.Validator[int]{
		"nil": nil, "zero": {}, "no checks": stages.Must(stages.NewValidator[int](r.Stage, nil)),
		"nil stage": stages.Must(stages.NewValidator(nil, numberChecks()[:1])),
	} {
		if err := v.Validate(nil, 1); err != nil { //nolint:staticcheck // A nil ctx is documented.
			t.Errorf("%s: Validate = %v, want nil", name, err)
		}
	}
	if len(r.probe.checks)+len(r.probe.counts) != 0 {
		t.Errorf("checks = %v, counts = %v, want none", r.probe.checks, r.probe.counts)
	}
}

// The checks of a Validator are its own.
func TestNewValidator_CopiesChecks(t *testing.T) {
	t.Parallel()
	checks := numberChecks()
	v := stages.Must(stages.NewValidator(nil, checks))
	clear(checks)
	if err := v.Validate(t.Context(), 2); err != nil {
		t.Errorf("Validate = %v, want nil", err)
	}
}

func TestWithDeadLetter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error // Of the dead-letter function.
		want string
	}{
		{name: "kept", want: "positive"},
		{name: "not kept", err: errBoom},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			var rows []int
			var names []string
			keep := func(ctx context.Context, row int, failures []*stages.CheckError) error {
				if stages.FromContext(ctx) == nil {
					t.Error("the context is not that of the run")
				}
				rows = append(rows, row)
				for _, failure := range failures {
					names = append(names, failure.Check)
				}
				return tt.err
			}
			v := stages.Must(stages.NewValidator(r.Stage, numberChecks(), stages.WithAllFailures(), stages.WithDeadLetter(keep)))
			validate := stages.WrapErr(r.Stage, v.Validate)
			for _, row := range []int{2, -1} {
				err := validate(t.Context(), row)
				if row == 2 && err != nil || row == -1 && tt.err != nil && err != tt.err {
					t.Errorf("Validate(%d) = %v, want the error of the dead-letter function alone", row, err)
				}
			}
			if diff := cmp.Diff([]int{-1}, rows); diff != "" {
				t.Errorf("rows (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff([]string{"positive", "even"}, names); diff != "" {
				t.Errorf("failures (-want +got)\n%s", diff)
			}
			requireRejected(t, r, tt.want)
			if got := r.probe.last(t).Outcome; got.IsError() != (tt.err != nil) {
				t.Errorf("outcome = %v, want an error: %t", got, tt.err != nil)
			}
		})
	}
}

func TestWithDeadLetter_Panics(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	keep := func(context.Context, int, []*stages.CheckError) error { panic(errBoom) }
	v := stages.Must(stages.NewValidator(r.Stage, numberChecks(), stages.WithDeadLetter(keep)))
	if value := recovered(func() { _ = stages.WrapErr(r.Stage, v.Validate)(t.Context(), -1) }); value != errBoom {
		t.Errorf("recovered %v, want %v", value, errBoom)
	}
	requireRejected(t, r, "")
	if got := r.probe.last(t).Outcome; got != observe.OutcomePanic {
		t.Errorf("outcome = %v, want panic", got)
	}
}

func TestWithDeadLetter_Nil(t *testing.T) {
	t.Parallel()
	v, err := stages.NewValidator(nil, numberChecks(), stages.WithDeadLetter[int](nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := stages.RejectReason(v.Validate(t.Context(), -1)); !ok {
		t.Error("the row is not rejected")
	}
}

// A row is counted as rejected once, however many runs its error passes through.
func TestReject_CountsOnce(t *testing.T) {
	t.Parallel()
	shared := stages.Reject(errBoom, "shared")
	for _, tt := range []struct {
		name string
		fn   func(v *stages.Validator[int]) func(context.Context, int) error // Of the inner stage.
		wrap func(error) error                                               // What the stage around it makes of the error.
		want map[string]int                                                  // On the inner stage, for two rows.
	}{
		{name: "validator", fn: func(v *stages.Validator[int]) func(context.Context, int) error { return v.Validate }, want: map[string]int{"rejected positive": 2}},
		{
			name: "validator, rejected again", fn: func(v *stages.Validator[int]) func(context.Context, int) error { return v.Validate },
			wrap: func(err error) error { return stages.Reject(err, "again") }, want: map[string]int{"rejected positive": 2},
		},
		{name: "rejection", fn: func(*stages.Validator[int]) func(context.Context, int) error {
			return func(context.Context, int) error { return stages.Reject(errBoom, "boom") }
		}, want: map[string]int{"rejected boom": 2}},
		{name: "rejection, wrapped and rejected again", fn: func(*stages.Validator[int]) func(context.Context, int) error {
			return func(context.Context, int) error { return stages.Reject(errBoom, "boom") }
		}, wrap: func(err error) error { return stages.Reject(fmt.Errorf("row 7: %w", err), "again") }, want: map[string]int{"rejected boom": 2}},
		{name: "one rejection for all rows", fn: func(*stages.Validator[int]) func(context.Context, int) error {
			return func(context.Context, int) error { return shared }
		}, want: map[string]int{"rejected shared": 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			inner, middle, outer := newRig(t), newRig(t), newRig(t)
			v := stages.Must(stages.NewValidator(inner.Stage, numberChecks()))
			row := stages.WrapErr(inner.Stage, tt.fn(v))
			batch := stages.WrapErr(middle.Stage, func(ctx context.Context, rows []int) error {
				var errs []error
				for _, n := range rows {
					err := row(ctx, n)
					if tt.wrap != nil {
						err = tt.wrap(err)
					}
					errs = append(errs, err)
				}
				return errors.Join(errs...)
			})
			_ = outer.Run(t.Context(), func(ctx context.Context) error { return batch(ctx, []int{-1, -2}) })
			if diff := cmp.Diff(tt.want, inner.probe.counts); diff != "" {
				t.Errorf("inner stage: counts (-want +got)\n%s", diff)
			}
			for name, r := range map[string]rig{"middle": middle, "outer": outer} {
				requireRejected(t, r, "")
				if got := r.probe.last(t).Outcome; got != observe.OutcomeSuccess {
					t.Errorf("%s stage: outcome %v, want success", name, got)
				}
			}
		})
	}
}

// What the stage around adds itself is counted by it.
func TestReject_CountsOnceBesideOthers(t *testing.T) {
	t.Parallel()
	inner, outer := newRig(t), newRig(t)
	_ = outer.Run(t.Context(), func(ctx context.Context) error {
		return errors.Join(
			inner.Run(ctx, func(context.Context) error { return stages.Reject(errBoom, "inner") }),
			stages.Reject(errBoom, "outer"),
		)
	})
	requireRejected(t, inner, "inner")
	requireRejected(t, outer, "outer")
}

// A rejection that one sequence yields and others pass on is counted by the first.
func TestReject_CountsOnceInSequences(t *testing.T) {
	t.Parallel()
	shared := stages.Reject(errBoom, "boom")
	extract, transform, load := newRig(t), newRig(t), newRig(t)
	rows := stages.Seq(t.Context(), extract.Stage, func(yield func(int, error) bool) {
		for n := range 6 {
			err := error(nil)
			switch n {
			case 1:
				err = fmt.Errorf("row 1: %w", stages.Reject(errBoom, "boom"))
			case 2, 4:
				err = shared
			}
			if !yield(n, err) {
				return
			}
		}
	})
	clean := stages.Seq(t.Context(), transform.Stage, func(yield func(int, error) bool) {
		for n, err := range rows {
			if n == 5 {
				err = stages.Reject(errBoom, "late")
			}
			if !yield(n, err) {
				return
			}
		}
	})
	loadRow := stages.WrapErr(load.Stage, func(_ context.Context, err error) error { return err })
	for _, err := range clean {
		_ = loadRow(t.Context(), err)
	}
	for _, tt := range []struct {
		name string
		rig  rig
		want map[string]int
	}{
		{name: "extract", rig: extract, want: map[string]int{"rejected boom": 3}},
		{name: "transform", rig: transform, want: map[string]int{"rejected late": 1}},
		{name: "load", rig: load, want: map[string]int{}},
	} {
		for key := range tt.rig.probe.counts {
			if !strings.HasPrefix(key, "rejected") {
				delete(tt.rig.probe.counts, key)
			}
		}
		if diff := cmp.Diff(tt.want, tt.rig.probe.counts); diff != "" {
			t.Errorf("%s: counts (-want +got)\n%s", tt.name, diff)
		}
	}
	// After a sequence has broken off, the rejection may be used again.
	_ = recovered(func() {
		for _, err := range rows {
			if err != nil && errors.Is(err, shared) {
				panic("full")
			}
		}
	})
	again := newRig(t)
	_ = again.Run(t.Context(), func(context.Context) error { return shared })
	requireRejected(t, again, "boom")
}

// A producer that calls a stage without the context of its sequence yields rejections
// that are counted already.
func TestReject_CountsOnceInStagesOfASequence(t *testing.T) {
	t.Parallel()
	shared := stages.Reject(errBoom, "boom")
	for _, tt := range []struct {
		name string
		err  func() error
		wrap func(error) error
	}{
		{name: "rejection", err: func() error { return stages.Reject(errBoom, "boom") }},
		{name: "one rejection for all rows", err: func() error { return shared }},
		{name: "rejected again", err: func() error { return stages.Reject(errBoom, "boom") }, wrap: func(err error) error { return stages.Reject(err, "again") }},
		{name: "joined", err: func() error { return stages.Reject(errBoom, "boom") }, wrap: func(err error) error { return errors.Join(err) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			whole, check, load := newRig(t), newRig(t), newRig(t)
			checkRow := stages.WrapErr(check.Stage, func(_ context.Context, n int) error {
				if n == 0 {
					return nil
				}
				return tt.err()
			})
			_ = whole.Run(t.Context(), func(ctx context.Context) error {
				for range stages.Seq(ctx, load.Stage, func(yield func(int, error) bool) {
					for _, n := range []int{0, 1, 1} {
						err := checkRow(ctx, n)
						if err != nil && tt.wrap != nil {
							err = tt.wrap(err)
						}
						if !yield(n, err) {
							return
						}
					}
					yield(3, stages.Reject(errBoom, "own"))
				}) {
				}
				return nil
			})
			if diff := cmp.Diff(map[string]int{"rejected boom": 2}, check.probe.counts); diff != "" {
				t.Errorf("stage inside: counts (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(map[string]int{"read": 4, "wrote": 1, "rejected own": 1}, load.probe.counts); diff != "" {
				t.Errorf("sequence: counts (-want +got)\n%s", diff)
			}
			requireRejected(t, whole, "")
		})
	}
}

// A rejection that a validator without telemetry made is counted by the run around.
func TestValidator_NilStageLeavesCountingToTheRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := stages.Must(stages.NewValidator(nil, numberChecks()))
	_ = stages.WrapErr(r.Stage, v.Validate)(t.Context(), -1)
	requireRejected(t, r, "positive")
}

func ExampleNewValidator() {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(totals{}))
	validate, _ := p.Stage("validate")
	v, err := stages.NewValidator(validate, []stages.Check[int]{
		stages.NewCheck("positive", func(n int) bool { return n > 0 }),
		stages.NewCheck("even", func(n int) bool { return n%2 == 0 }),
	}, stages.WithAllFailures())
	if err != nil {
		fmt.Println(err)
		return
	}
	validateRow := stages.WrapErr(validate, v.Validate)
	err = validateRow(context.Background(), -1)
	reason, ok := stages.RejectReason(err)
	fmt.Println(reason, ok)
	fmt.Println(err)
	// Output:
	// 0 rows in, 0 out, 1 rejected, 0 bytes in, 0 out, 0 retry
	// positive true
	// check "positive" failed
	// check "even" failed
}

func ExampleValidator_Validate() {
	v, _ := stages.NewValidator(nil, numberChecks())
	for _, row := range []int{2, 3} {
		if err := v.Validate(context.Background(), row); err != nil {
			fmt.Println(row, "is rejected:", err)
		}
	}
	// Output: 3 is rejected: check "even" failed
}

func ExampleWithAllFailures() {
	v, _ := stages.NewValidator(nil, numberChecks(), stages.WithAllFailures())
	fmt.Println(v.Validate(context.Background(), -1))
	// Output:
	// check "positive" failed
	// check "even" failed
}

func ExampleWithDeadLetter() {
	// In a program, this writes to a topic or a table of rejected rows.
	keep := func(_ context.Context, row int, failures []*stages.CheckError) error {
		fmt.Println("kept", row, "which failed", failures[0].Check)
		return nil
	}
	v, _ := stages.NewValidator(nil, numberChecks(), stages.WithDeadLetter(keep))
	err := v.Validate(context.Background(), 3)
	_, done := stages.RejectReason(err) // False if the row could not be kept.
	fmt.Println("done:", done)
	// Output:
	// kept 3 which failed even
	// done: true
}

// A rejected row that was kept is done: its message can be committed. One that could
// not be kept is not, and comes again.
func ExampleWithDeadLetter_commit() {
	p, _ := stages.NewPipeline("orders")
	validate, _ := p.Stage("validate")
	var full bool
	keep := func(context.Context, int, []*stages.CheckError) error {
		if full {
			return errors.New("disk full")
		}
		return nil
	}
	v, _ := stages.NewValidator(validate, numberChecks(), stages.WithDeadLetter(keep))
	handle := func(msg kafka.Message) error {
		err := kafkacarrier.Process(context.Background(), msg, func(ctx context.Context) error {
			err := v.Validate(ctx, int(msg.Offset))
			if _, isRejected := stages.RejectReason(err); isRejected {
				return nil // Counted and kept.
			}
			return err
		})
		if err == nil {
			fmt.Println("commit", msg.Offset) // reader.CommitMessages(ctx, msg)
		}
		return err
	}
	_ = handle(kafka.Message{Topic: "orders", Offset: 2})
	_ = handle(kafka.Message{Topic: "orders", Offset: 3})
	full = true
	fmt.Println(handle(kafka.Message{Topic: "orders", Offset: 5}))
	// Output:
	// commit 2
	// commit 3
	// disk full
}
