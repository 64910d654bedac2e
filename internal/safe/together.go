// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package safe

import (
	"context"
	"errors"
	"fmt"
)

// Together calls functions at the same time and returns their errors, joined. It returns
// when the last of them has, or when ctx is done, with its cause, whatever they do: a
// function that ignores ctx is left behind. A panic is an error.
func Together(ctx context.Context, functions ...func(context.Context) error) error {
	results := make(chan error, len(functions))
	for _, f := range functions {
		go func() {
			err := errors.New("runtime.Goexit was called")
			defer func() { results <- err }()
			err = contain(ctx, f)
		}()
	}
	var failures []error
	for range functions {
		select {
		case err := <-results:
			failures = append(failures, err)
		case <-ctx.Done():
			return errors.Join(append(failures, context.Cause(ctx))...)
		}
	}
	return errors.Join(failures...)
}

// contain calls f; its panic is an error.
func contain(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic: %v", value)
		}
	}()
	return f(ctx)
}
