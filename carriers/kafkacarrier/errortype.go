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
// https://opentelemetry.io/docs/specs/semconv/attributes-registry/error/
const errorOther = "_OTHER"

// errPanic stands for a handler that did not return.
var errPanic = errors.New("panic")

// errorType returns the error.type of err, out of a bounded set: the name of a
// Kafka error code, a class of failures of the context or the network, or
// _OTHER.
func errorType(err error) string {
	// WriteErrors has no Unwrap, and one entry for each message.
	var perMessage kafka.WriteErrors
	if errors.As(err, &perMessage) {
		for _, one := range perMessage {
			if one != nil {
				return errorType(one)
			}
		}
		return errorOther
	}
	var code kafka.Error
	var network net.Error
	switch {
	case err == errPanic: //nolint:errorlint // our own mark, never wrapped.
		return "panic"
	case errors.As(err, &code):
		return codeName(code)
	case errors.Is(err, context.Canceled):
		return "context_canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline_exceeded"
	case errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed):
		return "closed"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "eof"
	case errors.As(err, &network):
		if network.Timeout() {
			return "network_timeout"
		}
		return "network"
	default:
		return errorOther
	}
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
