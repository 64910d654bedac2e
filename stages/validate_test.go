// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

var errSchema = errors.New("missing field")

// The checks of numbers: positive, even, and the schema, which a 7 does not have. A
// 13 makes the last one panic.
func numberChecks() []stages.Check[int] {
	return []stages.Check[int]{
		stages.NewCheck("positive", func(n int) bool { return n > 0 }),
		stages.NewCheck("even", func(n int) bool { return n%2 == 0 || n == 7 || n == 13 }),
		stages.NewCheckErr("schema", func(n int) error {
			switch n {
			case 7:
				return errSchema
			case 13:
				panic("unlucky")
			}
			return nil
		}),
	}
}

// A validation is one row of what both forms are tested with.
var validations = []struct {
	name   string
	row    int
	reason string // Empty if the row passes.
	checks map[string]observe.Check
	all    map[string]observe.Check // With all failures, if other ones.
}{
	{name: "passes", row: 2, checks: map[string]observe.Check{"positive": {Passed: 1}, "even": {Passed: 1}, "schema": {Passed: 1}}},
	{
		name: "first check", row: -1, reason: "positive", checks: map[string]observe.Check{"positive": {Rejected: 1}},
		all: map[string]observe.Check{"positive": {Rejected: 1}, "even": {Rejected: 1}, "schema": {Passed: 1}},
	},
	{
		name: "second check", row: 3, reason: "even", checks: map[string]observe.Check{"positive": {Passed: 1}, "even": {Rejected: 1}},
		all: map[string]observe.Check{"positive": {Passed: 1}, "even": {Rejected: 1}, "schema": {Passed: 1}},
	},
	{name: "an error", row: 7, reason: "schema", checks: map[string]observe.Check{"positive": {Passed: 1}, "even": {Passed: 1}, "schema": {Rejected: 1}}},
	{name: "a panic", row: 13, reason: "panic", checks: map[string]observe.Check{"positive": {Passed: 1}, "even": {Passed: 1}, "schema": {Rejected: 1}}},
}

var withoutName = cmpopts.IgnoreFields(observe.Check{}, "Name")

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, tt := range validations {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, inRun := range map[string]bool{"in a run of the stage": true, "outside": false} {
				r := newRig(t)
				var got bool
				validate := func(ctx context.Context) error {
					got = stages.Validate(ctx, r.Stage, tt.row, numberChecks()...)
					return nil
				}
				if inRun {
					_ = r.Run(t.Context(), validate)
				} else {
					_ = validate(nil)
				}
				if want := tt.reason == ""; got != want {
					t.Errorf("%s: Validate(%d) = %t, want %t", name, tt.row, got, want)
				}
				if diff := cmp.Diff(tt.checks, r.probe.checks, withoutName); diff != "" {
					t.Errorf("%s: checks (-want +got)\n%s", name, diff)
				}
				requireRejected(t, r, tt.reason)
				if inRun && r.probe.last(t).Rejected != int64(r.probe.counts["rejected "+tt.reason]) {
					t.Errorf("%s: the run rejected %d rows, want the same as was counted", name, r.probe.last(t).Rejected)
				}
			}
		})
	}
}

// requireRejected fails the test unless one row was rejected for reason, or none if
// the reason is empty.
func requireRejected(t *testing.T, r rig, reason string) {
	t.Helper()
	want := map[string]int{}
	if reason != "" {
		want["rejected "+reason] = 1
	}
	if diff := cmp.Diff(want, r.probe.counts); diff != "" {
		t.Errorf("counts (-want +got)\n%s", diff)
	}
}

func TestValidate_UnusualChecks(t *testing.T) {
	t.Parallel()
	yes, no := func(int) bool { return true }, func(int) bool { return false }
	long := strings.Repeat("x", 200)
	for _, tt := range []struct {
		name    string
		checks  []stages.Check[int]
		want    bool
		results map[string]observe.Check
		reason  string
		drops   int
	}{
		{name: "none", want: true, results: map[string]observe.Check{}},
		{name: "no name", checks: []stages.Check[int]{stages.NewCheck("", no)}, results: map[string]observe.Check{"unnamed": {Rejected: 1}}, reason: "unnamed", drops: 1},
		{name: "name not UTF-8", checks: []stages.Check[int]{stages.NewCheck("a\xff", yes)}, want: true, results: map[string]observe.Check{"a\uFFFD": {Passed: 1}}, drops: 1},
		{name: "name too long", checks: []stages.Check[int]{stages.NewCheck(long, yes)}, want: true, results: map[string]observe.Check{long[:125] + "…": {Passed: 1}}, drops: 1},
		{name: "same name", checks: []stages.Check[int]{stages.NewCheck("a", yes), stages.NewCheck("a", yes)}, want: true, results: map[string]observe.Check{"a": {Passed: 2}}},
		{name: "nil function", checks: []stages.Check[int]{stages.NewCheck[int]("a", nil)}, results: map[string]observe.Check{"a": {Rejected: 1}}, reason: "panic"},
		{name: "nil function with an error", checks: []stages.Check[int]{stages.NewCheckErr[int]("a", nil)}, results: map[string]observe.Check{"a": {Rejected: 1}}, reason: "panic"},
		{name: "zero check", checks: make([]stages.Check[int], 1), results: map[string]observe.Check{"unnamed": {Rejected: 1}}, reason: "panic", drops: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if got := stages.Validate(t.Context(), r.Stage, 1, tt.checks...); got != tt.want {
				t.Errorf("Validate = %t, want %t", got, tt.want)
			}
			if diff := cmp.Diff(tt.results, r.probe.checks, withoutName); diff != "" {
				t.Errorf("checks (-want +got)\n%s", diff)
			}
			requireRejected(t, r, tt.reason)
			if got := r.probe.dropped(observe.DropCheckName); got != tt.drops {
				t.Errorf("%d names dropped, want %d", got, tt.drops)
			}
		})
	}
}

func TestValidate_NilStage(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*stages.Stage{"nil": nil, "zero": {}} {
		for row, want := range map[int]bool{2: true, -1: false, 13: false} {
			if got := stages.Validate(t.Context(), s, row, numberChecks()...); got != want {
				t.Errorf("%s: Validate(%d) = %t, want %t", name, row, got, want)
			}
		}
	}
}

// A stage inside of another one validates for itself.
func TestValidate_InARunOfAnotherStage(t *testing.T) {
	t.Parallel()
	outer, r := newRig(t), newRig(t)
	_ = outer.Run(t.Context(), func(ctx context.Context) error {
		stages.Validate(ctx, r.Stage, -1, numberChecks()...)
		return nil
	})
	requireRejected(t, r, "positive")
	requireRejected(t, outer, "")
}

func TestValidate_ConcurrentUse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	checks := numberChecks()
	v := stages.Must(stages.NewValidator(r.Stage, checks))
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		var all sync.WaitGroup
		for i := range 64 {
			all.Go(func() {
				for range 10 {
					if got, want := stages.Validate(ctx, r.Stage, i+1, checks...), v.Validate(ctx, i+1) == nil; got != want {
						t.Errorf("Validate(%d) = %t, and that of the Validator %t", i+1, got, want)
					}
				}
			})
		}
		all.Wait()
		return nil
	})
	// Of 1 to 64, the 32 odd numbers, and not for their oddness 7 and 13.
	want := map[string]int{"rejected even": 2 * 300, "rejected schema": 2 * 10, "rejected panic": 2 * 10}
	if diff := cmp.Diff(want, r.probe.counts); diff != "" {
		t.Errorf("counts (-want +got)\n%s", diff)
	}
	if got := r.probe.last(t).Rejected; got != 640 {
		t.Errorf("the run rejected %d rows, want 640", got)
	}
}

// pointerError is an error type whose nil pointer is an error.
type pointerError struct{ text string }

func (e *pointerError) Error() string { return e.text }

// Whatever a check does, the row is rejected and the next one is judged.
func TestValidate_UnusualFailures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, reason, text string
		verify             func(int) error
	}{
		{name: "panic with nil", reason: "panic", verify: func(int) error { panic(new(runtime.PanicNilError)) }, text: `check "schema": panic: panic called with nil argument`},
		{name: "panic with an error", reason: "panic", verify: func(int) error { panic(errBoom) }, text: `check "schema": panic: ` + errBoom.Error()},
		{name: "error without a text", reason: "schema", verify: func(int) error { return errors.New("") }, text: `check "schema": `},
		{name: "typed nil", reason: "schema", verify: func(int) error { return (*pointerError)(nil) }, text: `check "schema": <nil>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			v := stages.Must(stages.NewValidator(r.Stage, []stages.Check[int]{stages.NewCheckErr("schema", func(n int) error {
				if n == 2 {
					return nil
				}
				return tt.verify(n)
			})}))
			if err := v.Validate(t.Context(), 1); err == nil || err.Error() != tt.text {
				t.Errorf("Validate(1) = %v, want %s", err, tt.text)
			}
			if err := v.Validate(t.Context(), 2); err != nil {
				t.Errorf("Validate(2) = %v, want nil", err)
			}
			requireRejected(t, r, tt.reason)
		})
	}
}

// Not parallel: it sets a variable.
func TestValidate_PanicNilAllowed(t *testing.T) {
	t.Setenv("GODEBUG", "panicnil=1")
	r := newRig(t)
	if stages.Validate(t.Context(), r.Stage, 1, stages.NewCheck("a", func(int) bool { panic(nil) })) { //nolint:govet // The test.
		t.Error("a check that panicked with nil passed the row")
	}
	requireRejected(t, r, "panic")
}

func TestCheckError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  *stages.CheckError
		want string
	}{
		{err: &stages.CheckError{Check: "even"}, want: `check "even" failed`},
		{err: &stages.CheckError{Check: "schema", Err: errSchema}, want: `check "schema": missing field`},
	} {
		if got := tt.err.Error(); got != tt.want || errors.Unwrap(tt.err) != tt.err.Err {
			t.Errorf("Error() = %q, Unwrap() = %v, want %q, %v", got, errors.Unwrap(tt.err), tt.want, tt.err.Err)
		}
	}
}

func ExampleValidate() {
	type order struct {
		price    float64
		currency string
	}
	checks := []stages.Check[order]{
		stages.NewCheck("price_positive", func(o order) bool { return o.price > 0 }),
		stages.NewCheck("currency_known", func(o order) bool { return o.currency == "EUR" }),
	}
	p, _ := stages.NewPipeline("orders", stages.WithObserver(checkPrinter{}))
	validate, _ := p.Stage("validate")
	for _, row := range []order{{price: 3, currency: "EUR"}, {price: -1}} {
		ok := stages.Validate(context.Background(), validate, row, checks...)
		fmt.Println(ok)
	}
	// Output:
	// price_positive: 1 passed, 0 rejected
	// currency_known: 1 passed, 0 rejected
	// true
	// price_positive: 0 passed, 1 rejected
	// false
}

// checkPrinter is an observer that prints the results of checks.
type checkPrinter struct{ printer }

func (checkPrinter) Stage(observe.StageID) observe.RunObserver { return checkPrinter{} }
func (checkPrinter) Ended(context.Context, observe.RunEnd)     {}
func (checkPrinter) Checked(c observe.Check) {
	fmt.Printf("%s: %d passed, %d rejected\n", c.Name, c.Passed, c.Rejected)
}

func ExampleNewCheck() {
	positive := stages.NewCheck("positive", func(n int) bool { return n > 0 })
	fmt.Println(stages.Validate(context.Background(), nil, 1, positive), stages.Validate(context.Background(), nil, -1, positive))
	// Output: true false
}

func ExampleNewCheckErr() {
	// A schema is one check. Validate is a function of the schema library's.
	schema := func(row map[string]any) error {
		if _, ok := row["id"].(string); !ok {
			return errors.New("id: not a string")
		}
		return nil
	}
	v, _ := stages.NewValidator(nil, []stages.Check[map[string]any]{stages.NewCheckErr("schema", schema)})
	fmt.Println(v.Validate(context.Background(), map[string]any{"id": 7}))
	// Output: check "schema": id: not a string
}

func ExampleCheckError() {
	v, _ := stages.NewValidator(nil, numberChecks())
	failure, ok := errors.AsType[*stages.CheckError](v.Validate(context.Background(), -1))
	fmt.Println(ok, failure.Check, failure.Err)
	// Output: true positive <nil>
}
