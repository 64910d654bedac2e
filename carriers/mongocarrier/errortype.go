// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/waybill-go/waybill/internal/semconv"
)

// errorType returns the error.type of err, out of a bounded set: a class of
// failures of the context, or the Go type of the first error in the chain that
// is more than text, such as "mongo.CommandError".
func errorType(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "context_canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline_exceeded"
	}
	for ; err != nil; err = errors.Unwrap(err) {
		name := reflect.TypeOf(err).String()
		pkg, _, _ := strings.Cut(strings.TrimLeft(name, "*"), ".")
		if pkg != "errors" && pkg != "fmt" {
			return name
		}
	}
	return semconv.ErrorTypeOther
}
