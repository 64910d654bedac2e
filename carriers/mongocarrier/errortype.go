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

// typeOf returns the error.type of err, out of a bounded set: a class of
// failures of the context, the Go type of the first error in its chain that is
// more than text, such as "mongo.CommandError", or _OTHER.
func typeOf(err error) string {
	switch {
	case is(err, context.Canceled):
		return "context_canceled"
	case is(err, context.DeadlineExceeded):
		return "deadline_exceeded"
	}
	const deep = 16 // an error that wraps itself ends here.
	for range deep {
		if err == nil {
			break
		}
		name := reflect.TypeOf(err).String()
		if pkg, _, _ := strings.Cut(strings.TrimLeft(name, "*"), "."); pkg != "errors" && pkg != "fmt" {
			return name
		}
		err = errors.Unwrap(err)
	}
	return semconv.ErrorTypeOther
}

// is is errors.Is for an error whose methods may panic.
func is(err, target error) (matches bool) {
	defer contain()
	return errors.Is(err, target)
}
