// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"slices"
)

// maxTree bounds how many wrapped errors are looked at, so that an error that
// wraps itself, or a very large tree, cannot hold up the work.
const maxTree = 64

// The types of the standard library that say nothing about an error.
var (
	plainType     = reflect.TypeOf(errors.New(""))
	textType      = reflect.TypeOf(fmt.Errorf("%w", io.EOF))
	describedType = reflect.TypeOf(fmt.Errorf("%w, %w", io.EOF, io.EOF))
	joinedType    = reflect.TypeOf(errors.Join(io.EOF))

	wrapperTypes = []reflect.Type{textType, describedType, joinedType}
)

// isWrapper reports whether t only adds text to other errors or joins them.
func isWrapper(t reflect.Type) bool { return slices.Contains(wrapperTypes, t) }

// isAnonymous reports whether t is the type of errors of any kind.
func isAnonymous(t reflect.Type) bool { return t == plainType || isWrapper(t) }

// Tree returns an iterator over err and the errors it wraps, in the order of
// [errors.Is]. It yields at most 64 errors, so it ends even if an error wraps
// itself. If a method of an error panics, so does the iterator.
func Tree(err error) iter.Seq[error] {
	return func(yield func(error) bool) {
		left := maxTree
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
	for _, e := range unwrap(err) {
		if !walk(e, left, yield) {
			return false
		}
	}
	return true
}

// unwrap returns the errors that err wraps, some of which may be nil.
func unwrap(err error) []error {
	switch wrapper := err.(type) { //nolint:errorlint // this is the walk of errors.Is.
	case interface{ Unwrap() error }:
		return []error{wrapper.Unwrap()}
	case interface{ Unwrap() []error }:
		return wrapper.Unwrap()
	default:
		return elements(err)
	}
}
