// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/waybill-go/waybill/internal/semconv"
)

const (
	// The error types that do not come from the error.
	errorTypeTimeout = "timeout"
	errorTypePanic   = "panic"

	// maxErrorTypeBytes is the longest error type that is taken over; what is
	// longer is no class of errors.
	maxErrorTypeBytes = 128

	// maxErrorTree bounds how many wrapped errors are looked at, so that an
	// error that wraps itself cannot hold up a stage.
	maxErrorTree = 64
)

// errorName maps an error to its type.
type errorName struct {
	target error
	name   string
}

// knownErrors are the errors of the standard library that have a better name
// than their Go type, which is the same for most of them.
var knownErrors = [...]errorName{ //nolint:gochecknoglobals // A constant table.
	{context.DeadlineExceeded, errorTypeTimeout},
	{os.ErrDeadlineExceeded, errorTypeTimeout},
	{context.Canceled, "cancelled"},
	{io.ErrUnexpectedEOF, "unexpected_eof"},
	{io.EOF, "eof"},
	{io.ErrClosedPipe, "closed"},
	{fs.ErrNotExist, "not_exist"},
	{fs.ErrExist, "exist"},
	{fs.ErrPermission, "permission"},
	{fs.ErrClosed, "closed"},
}

// The types of the standard library that say nothing about an error.
var (
	plainType    = reflect.TypeOf(errors.New("")) //nolint:gochecknoglobals // A constant.
	wrapperTypes = [...]reflect.Type{             //nolint:gochecknoglobals // A constant table.
		reflect.TypeOf(fmt.Errorf("%w", io.EOF)),
		reflect.TypeOf(fmt.Errorf("%w, %w", io.EOF, io.EOF)),
		reflect.TypeOf(errors.Join(io.EOF)),
	}
)

// errorType returns the class of err for a span and a metric: one of few
// values, whatever err holds. It tries the names the user gave, the ErrorType
// method, the known errors, and the Go type, in that order and each of them on
// the whole tree of err. A method of err that panics ends only its own try.
func (s *Stage) errorType(err error) string {
	for _, find := range [...]func(error) string{s.namedType, declaredType, knownType, goType} {
		name := s.try(find, err)
		if name == "" || len(name) > maxErrorTypeBytes || !utf8.ValidString(name) {
			continue
		}
		if _, ok := s.errorTypes.Get(name); ok {
			return name
		}
		break
	}
	return semconv.ErrorTypeOther
}

func (s *Stage) try(find func(error) string, err error) string {
	defer s.contain(dropErrorType)
	return find(err)
}

// namedType returns the name the user gave to err or to an error it wraps.
func (s *Stage) namedType(err error) string {
	return lookUp(s.errorNames, err)
}

// declaredType returns what the first ErrorType method with an answer says.
func declaredType(err error) string {
	for e := range tree(err) {
		if typed, ok := e.(interface{ ErrorType() string }); ok {
			if name := typed.ErrorType(); name != "" {
				return name
			}
		}
	}
	return ""
}

func knownType(err error) string {
	return lookUp(knownErrors[:], err)
}

// goType returns the Go type of the first error in the tree whose type says
// something, written as OpenTelemetry's semantic conventions write it.
func goType(err error) string {
	found := reflect.TypeOf(err)
	for e := range tree(err) {
		t := reflect.TypeOf(e)
		if !isAnonymous(t) {
			found = t
			break
		}
		if !isWrapper(t) && isWrapper(found) {
			found = t
		}
	}
	if found.PkgPath() != "" && found.Name() != "" {
		return found.PkgPath() + "." + found.Name()
	}
	return found.String()
}

// isWrapper reports whether t only adds text to other errors or joins them.
func isWrapper(t reflect.Type) bool {
	return slices.Contains(wrapperTypes[:], t)
}

// isAnonymous reports whether t is the type of errors of any kind.
func isAnonymous(t reflect.Type) bool {
	return t == plainType || isWrapper(t)
}

// lookUp returns the name of the first error in the tree that has one.
func lookUp(names []errorName, err error) string {
	for e := range tree(err) {
		for _, known := range names {
			if isTarget(e, known.target) {
				return known.name
			}
		}
	}
	return ""
}

// matches is [errors.Is] on the bounded tree of err.
func matches(err, target error) bool {
	for e := range tree(err) {
		if isTarget(e, target) {
			return true
		}
	}
	return false
}

// isTarget is [errors.Is] without what err wraps.
func isTarget(err, target error) bool {
	if reflect.TypeOf(target).Comparable() && err == target { //nolint:errorlint // This is the comparison of errors.Is.
		return true
	}
	is, ok := err.(interface{ Is(error) bool })
	return ok && is.Is(target)
}

// tree yields err and the errors it wraps, in the order of [errors.Is], at most
// [maxErrorTree] of them.
func tree(err error) iter.Seq[error] {
	return func(yield func(error) bool) {
		left := maxErrorTree
		walk(err, &left, yield)
	}
}

// walk reports whether to go on.
func walk(err error, left *int, yield func(error) bool) bool {
	if err == nil {
		return true
	}
	if *left == 0 || !yield(err) {
		return false
	}
	*left--
	switch wrapper := err.(type) { //nolint:errorlint // This is the walk of errors.Is.
	case interface{ Unwrap() error }:
		return walk(wrapper.Unwrap(), left, yield)
	case interface{ Unwrap() []error }:
		for _, e := range wrapper.Unwrap() {
			if !walk(e, left, yield) {
				return false
			}
		}
	}
	return true
}
