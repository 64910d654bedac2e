// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import "errors"

// The errors of functions that inject into an object. The object is unchanged
// then, and can be created without the context.
var (
	// ErrNil is returned when the object is nil.
	ErrNil = errors.New("k8scarrier: the object is nil")
	// ErrNoContainers is returned when an object has no container to inject
	// into.
	ErrNoContainers = errors.New("k8scarrier: there is no container to inject into")
	// ErrNoContext is returned when there is nothing to write: ctx has no valid
	// span, no waybill, and no selected baggage.
	ErrNoContext = errors.New("k8scarrier: ctx holds no context to inject")
	// ErrConflict is returned when an object holds another context and
	// [WithErrorOnConflict] is given.
	ErrConflict error = conflictError{}
	// ErrTooLarge is returned when an object has no room for the annotations of
	// [WithAnnotations].
	ErrTooLarge = errors.New("k8scarrier: there is no room for the annotations")
	// ErrLongLived is returned when an object starts many runs, such as a
	// CronJob or a Deployment. Every run, for months, would join one trace, and
	// each new context would be a new revision of the object.
	ErrLongLived = errors.New("k8scarrier: the object starts many runs, which are not one flow")
	// ErrUnknownKind is returned when it is not known where in an object the pod
	// template is; see [WithPodTemplatePath].
	ErrUnknownKind = errors.New("k8scarrier: the kind of the object is not known")
)

// errPrefix is returned when the API server would refuse annotations with the
// prefix of [WithAnnotations].
var errPrefix = errors.New("k8scarrier: the prefix of annotations is not valid")

type conflictError struct{}

func (conflictError) Error() string { return "k8scarrier: the object holds another trace context" }

// ErrorType returns the class of the error for the span of [Jobs].
func (conflictError) ErrorType() string { return "conflict" }
