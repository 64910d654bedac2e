// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"errors"
	"fmt"
)

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
	// ErrConflict is wrapped by the [ConflictError] that is returned when an object
	// holds another context and [WithErrorOnConflict] is given.
	ErrConflict error = conflictError{}
	// ErrTooLarge is returned when an object has no room for the context: for the
	// annotations of [WithAnnotations], or because it has thousands of containers.
	ErrTooLarge = errors.New("k8scarrier: there is no room for the context")
	// ErrContextFile is wrapped by the error that is returned when a pod cannot have the
	// file of [WithContextFile], and that says why.
	ErrContextFile = errors.New("k8scarrier: there can be no file with the context")
	// ErrLongLived is returned when an object starts many runs, such as a
	// CronJob or a Deployment. Every run, for months, would join one trace, and
	// each new context would be a new revision of the object.
	ErrLongLived = errors.New("k8scarrier: the object starts many runs, which are not one flow")
	// ErrUnknownKind is returned when it is not known where in an object the pod
	// template is; see [WithPodTemplatePath] and [WithContainerPath].
	ErrUnknownKind = errors.New("k8scarrier: the kind of the object is not known")
)

// errPrefix is returned when the API server would refuse annotations with the
// prefix of [WithAnnotations].
var errPrefix = errors.New("k8scarrier: the prefix of annotations is not valid")

// ConflictError says where an object holds another context. It wraps [ErrConflict].
type ConflictError struct {
	// Container is the name of the container, or empty for an annotation.
	Container string
	// Key is the name of the variable, or the key of the annotation.
	Key string
}

func (e *ConflictError) Error() string {
	if e.Container == "" {
		return fmt.Sprintf("%s: annotation %q", ErrConflict, e.Key)
	}
	return fmt.Sprintf("%s: container %q, variable %q", ErrConflict, e.Container, e.Key)
}

// Unwrap returns [ErrConflict].
func (*ConflictError) Unwrap() error { return ErrConflict }

type conflictError struct{}

func (conflictError) Error() string { return "k8scarrier: the object holds another trace context" }

// ErrorType returns the class of the error for the span of [Jobs].
func (conflictError) ErrorType() string { return "conflict" }
