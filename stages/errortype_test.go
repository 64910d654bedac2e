// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

type codedError string

func (codedError) Error() string        { return "coded" }
func (e codedError) ErrorType() string  { return string(e) }
func (codedError) Is(target error) bool { return target == errSimilar }

type plainError struct{ cause error }

func (*plainError) Error() string   { return "plain" }
func (e *plainError) Unwrap() error { return e.cause } // Panics on a nil pointer.

type listError []string

func (listError) Error() string { return "list" }

type selfError struct{}

func (e *selfError) Error() string { return "self" }
func (e *selfError) Unwrap() error { return e }

type panickyError struct{}

func (panickyError) Error() string     { panic("Error") }
func (panickyError) ErrorType() string { panic("ErrorType") }
func (panickyError) Is(error) bool     { panic("Is") }

var errSimilar = errors.New("similar")

func TestStage_ErrorType(t *testing.T) {
	t.Parallel()
	errNamed := errors.New("named")
	var typedNil *plainError
	tests := map[string]struct {
		err  error
		want string
	}{
		"errors.New":              {errors.New("a"), "*errors.errorString"},
		"fmt without %w":          {fmt.Errorf("a %d", 1), "*errors.errorString"},
		"own type":                {&plainError{}, "*stages_test.plainError"},
		"own value type":          {listError{"a"}, "github.com/waybill-go/waybill/stages_test.listError"},
		"wrapped":                 {fmt.Errorf("a: %w", &plainError{}), "*stages_test.plainError"},
		"wrapped three times":     {fmt.Errorf("a: %w", fmt.Errorf("b: %w", fmt.Errorf("c: %w", listError{}))), "github.com/waybill-go/waybill/stages_test.listError"},
		"own wrapper":             {&plainError{listError{}}, "*stages_test.plainError"},
		"joined":                  {errors.Join(errors.New("a"), listError{}), "github.com/waybill-go/waybill/stages_test.listError"},
		"joined, one has a code":  {errors.Join(&plainError{}, codedError("code")), "code"},
		"joined, none says much":  {errors.Join(errors.New("a"), errors.New("b")), "*errors.errorString"},
		"two %w":                  {fmt.Errorf("%w %w", errors.New("a"), &plainError{}), "*stages_test.plainError"},
		"mapped":                  {errNamed, "my_name"},
		"mapped, wrapped":         {fmt.Errorf("a: %w", errNamed), "my_name"},
		"mapped before its code":  {errors.Join(codedError("code"), errNamed), "my_name"},
		"code":                    {codedError("code"), "code"},
		"code, wrapped":           {fmt.Errorf("a: %w", codedError("code")), "code"},
		"code before known error": {errors.Join(io.EOF, codedError("code")), "code"},
		"empty code":              {codedError(""), "github.com/waybill-go/waybill/stages_test.codedError"},
		"empty code, then a code": {errors.Join(codedError(""), codedError("code")), "code"},
		"code too long":           {codedError(strings.Repeat("x", 129)), "github.com/waybill-go/waybill/stages_test.codedError"},
		"code not text":           {codedError("\xff"), "github.com/waybill-go/waybill/stages_test.codedError"},
		"known":                   {io.ErrUnexpectedEOF, "unexpected_eof"},
		"known by Is":             {&os.PathError{Op: "open", Err: os.ErrNotExist}, "not_exist"},
		"known, joined":           {errors.Join(errors.New("a"), fs.ErrPermission, io.ErrUnexpectedEOF), "permission"},
		"known, wrapped":          {fmt.Errorf("a: %w", fs.ErrPermission), "permission"},
		"typed nil":               {typedNil, "*stages_test.plainError"},
		"wraps itself":            {&selfError{}, "*stages_test.selfError"},
		"not comparable":          {fmt.Errorf("a: %w", listError{"a"}), "github.com/waybill-go/waybill/stages_test.listError"},
		"methods panic":           {panickyError{}, "github.com/waybill-go/waybill/stages_test.panickyError"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, stages.WithErrorType(errNamed, "my_name"), stages.WithErrorType(nil, "x"), stages.WithErrorType(errBoom, ""), stages.WithErrorType(errBoom, "not \xff text"))
			_ = r.Run(t.Context(), func(context.Context) error { return tt.err })
			if got := r.probe.last(t); got.ErrorType != tt.want || got.Outcome != observe.OutcomeFailure {
				t.Errorf("metric has %q (%v), want %q", got.ErrorType, got.Outcome, tt.want)
			}
			if got := attributeOf(r.span(t), "error.type"); got != tt.want {
				t.Errorf("span has %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWithErrorType_Similar(t *testing.T) {
	t.Parallel()
	r := newRig(t, stages.WithErrorType(errSimilar, "similar"), stages.WithErrorType(errSimilar, "later"))
	_ = r.Run(t.Context(), func(context.Context) error { return codedError("code") })
	if got := r.probe.last(t).ErrorType; got != "similar" {
		t.Errorf("got %q", got)
	}
}

func TestWithErrorType_OutermostErrorDecides(t *testing.T) {
	t.Parallel()
	inner, outer := errors.New("inner"), listError{"outer"}
	r := newRig(t, stages.WithErrorType(inner, "inner"), stages.WithErrorType(errSimilar, "outer"))
	for name, err := range map[string]error{
		"joined":  errors.Join(outer, codedError("x"), inner),
		"wrapped": similarError{inner},
	} {
		_ = r.Run(t.Context(), func(context.Context) error { return err })
		if got := r.probe.last(t).ErrorType; got != "outer" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// similarError is similar to others, whatever it wraps.
type similarError struct{ error }

func (similarError) Is(target error) bool { return target == errSimilar }
func (e similarError) Unwrap() error      { return e.error }

func TestWithErrorTypeLimit(t *testing.T) {
	t.Parallel()
	for limit, opts := range map[int][]stages.Option{
		32: nil,
		4:  {stages.WithErrorTypeLimit(4)},
	} {
		r := newRig(t, opts...)
		var all sync.WaitGroup
		for worker := range 8 {
			all.Go(func() {
				for i := range 200 {
					_ = r.Run(t.Context(), func(context.Context) error { return codedError("request-" + strconv.Itoa((i+worker*25)%200)) })
				}
			})
		}
		all.Wait()
		seen := map[string]int{}
		for _, result := range r.probe.results {
			seen[result.ErrorType]++
		}
		if len(seen) != limit+1 || seen["_OTHER"] == 0 {
			t.Errorf("limit %d: %d types, %d other", limit, len(seen), seen["_OTHER"])
		}
		for _, span := range r.spans.GetSpans() {
			if seen[attributeOf(span, "error.type")] == 0 {
				t.Fatalf("the span has the type %q, no metric has", attributeOf(span, "error.type"))
			}
		}
	}
}

func TestStage_ErrorWhoseMethodsPanic(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	r := newRig(t, stages.WithErrorDescription(nil), stages.WithErrorType(errSimilar, "similar"))
	if err := r.Run(canceled, func(context.Context) error { return panickyError{} }); err != (panickyError{}) {
		t.Errorf("Run returned another error")
	}
	if got := r.probe.last(t).Outcome; got != observe.OutcomeFailure {
		t.Errorf("outcome %v", got)
	}
	for _, reason := range []string{"error_type", "formatter"} {
		if r.probe.dropped(reason) == 0 {
			t.Errorf("dropped %q was not counted", reason)
		}
	}
}
