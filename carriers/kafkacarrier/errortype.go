// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/segmentio/kafka-go"
)

// errorOther is the error.type of what has none of its own.
// https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
const errorOther = "_OTHER"

// errPanic stands for a handler that did not return.
var errPanic = errors.New("panic")

// errorType returns the error.type of err, out of a bounded set: the name of a
// Kafka error code, a class of failures of the context or the network, or
// _OTHER, which is also that of an error whose own methods panic.
func errorType(err error) (kind string) {
	defer func() {
		if recover() != nil {
			kind = errorOther
		}
	}()
	// WriteErrors has no Unwrap, and an entry for each message.
	if perMessage, ok := errors.AsType[kafka.WriteErrors](err); ok {
		return errorType(firstOf(perMessage))
	}
	if code, ok := errors.AsType[kafka.Error](err); ok {
		return codeName(code)
	}
	network, isNetwork := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, errPanic):
		return "panic"
	case errors.Is(err, context.Canceled):
		return "context_canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline_exceeded"
	case errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed):
		return "closed"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "eof"
	case isNetwork && network.Timeout():
		return "network_timeout"
	case isNetwork:
		return "network"
	default:
		return errorOther
	}
}

// is is errors.Is for errors whose own methods may panic.
func is(err, target error) (is bool) {
	defer contain()
	return errors.Is(err, target)
}

// firstOf returns the first error of errs, or nil.
func firstOf(errs kafka.WriteErrors) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// codeName returns the name that Kafka gives to code. kafka-go has a title for
// most of them; those it does not know are _OTHER.
func codeName(code kafka.Error) string {
	title := code.Title()
	if title == "" {
		return errorOther
	}
	return strings.ToUpper(strings.ReplaceAll(title, " ", "_"))
}
