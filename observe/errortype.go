// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"reflect"
	"syscall"
	"unicode/utf8"
)

// The error types that do not come from the error itself.
const (
	ErrorTypeTimeout  = "timeout"
	ErrorTypeCanceled = "canceled"
	ErrorTypePanic    = "panic"
	// ErrorTypeOther is the value of a limited label, an error.type, or a topic
	// beyond the limit, and of an error without a usable name.
	// https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
	ErrorTypeOther = "_OTHER"
)

// maxErrorTypeBytes is the longest error type that is taken over; what is
// longer is not a class of errors.
const maxErrorTypeBytes = 128

// knownErrors are the errors of the standard library that have a better name
// than their Go type, which most of them share.
var knownErrors = [...]struct {
	target error
	name   string
}{
	{context.Canceled, ErrorTypeCanceled},
	{io.ErrUnexpectedEOF, "unexpected_eof"},
	{io.EOF, "eof"},
	{io.ErrClosedPipe, "closed"},
	{net.ErrClosed, "closed"},
	{fs.ErrNotExist, "not_exist"},
	{fs.ErrExist, "exist"},
	{fs.ErrPermission, "permission"},
	{fs.ErrClosed, "closed"},
	{syscall.ECONNREFUSED, "connection_refused"},
	{syscall.ECONNRESET, "connection_reset"},
}

// ErrorType returns the class of err for spans, metrics and logs: one of few
// values, whatever text err holds. It returns the empty string if err is nil.
//
// It asks, in this order and each on the whole tree of err: a method
// ErrorType() string; the table of known errors, which has "timeout",
// "canceled", "eof" and others of the standard library, the names of Kafka's
// protocol ([KafkaErrorName]), of gRPC's status codes and of Kubernetes's
// status reasons; the Go type, as the semantic conventions of OpenTelemetry
// write it. Of errors that were joined with the end of a context, the others
// count. A method that panics is treated as absent. A name that is not valid
// UTF-8 or longer than 128 bytes is ignored.
//
// The result is bounded as far as the methods named ErrorType of a program are;
// those who use it as a label limit it.
func ErrorType(err error) string {
	if err == nil {
		return ""
	}
	for _, find := range [...]func(error) string{declaredType, knownType, goType} {
		if name := try(find, err); name != "" && len(name) <= maxErrorTypeBytes && utf8.ValidString(name) {
			return name
		}
	}
	return ErrorTypeOther
}

// try returns what find returns, or the empty string if a method of err panics.
func try(find func(error) string, err error) (name string) {
	defer func() {
		if recover() != nil {
			name = ""
		}
	}()
	return find(err)
}

// declaredType returns the first answer of a method ErrorType.
func declaredType(err error) string {
	for e := range Tree(err) {
		if typed, ok := e.(interface{ ErrorType() string }); ok {
			if name := typed.ErrorType(); name != "" {
				return name
			}
		}
	}
	return ""
}

// knownType returns the name of the first error in the tree that has one.
func knownType(err error) string {
	for e := range Tree(beside(err)) {
		if name := nameOf(e); name != "" {
			return name
		}
	}
	return ""
}

// nameOf returns the name of err alone, without what it wraps.
func nameOf(err error) string {
	if name := clientErrorName(err); name != "" {
		return name
	}
	if Matches(err, context.DeadlineExceeded) || Matches(err, os.ErrDeadlineExceeded) {
		return ErrorTypeTimeout
	}
	for _, known := range knownErrors {
		if Matches(err, known.target) {
			return known.name
		}
	}
	if timeout, ok := err.(interface{ Timeout() bool }); ok && timeout.Timeout() {
		return ErrorTypeTimeout
	}
	return ""
}

// beside returns the errors that were joined with the end of a context, which
// are why the work failed, or err if there are none.
func beside(err error) (others error) {
	defer func() {
		if recover() != nil {
			others = err
		}
	}()
	isEnd := func(e error) bool { return Matches(e, context.Canceled) || Matches(e, context.DeadlineExceeded) }
	for e := range Tree(err) {
		joined, ok := e.(interface{ Unwrap() []error })
		if !ok || reflect.TypeOf(e) == describedType {
			continue
		}
		var kept []error
		for _, e := range joined.Unwrap() {
			if e != nil && len(kept) < maxTree && !explains(e, isEnd) {
				kept = append(kept, e)
			}
		}
		if len(kept) > 0 {
			return errors.Join(kept...)
		}
		return err
	}
	return err
}

// goType returns the Go type of the first error in the tree whose type says
// something, written as the semantic conventions of OpenTelemetry write it.
func goType(err error) string {
	err = beside(err)
	found := reflect.TypeOf(err)
	for e := range Tree(err) {
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
