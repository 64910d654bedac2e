// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import (
	"context"

	"github.com/waybill-go/waybill/propagation"
)

// What the tests of package envcarrier_test see of this package: what it does on
// Windows, wherever the tests run.

// HostIsWindows reports whether this process has the environment of Windows.
var HostIsWindows = host == windows

func InjectOnWindows(ctx context.Context, environ []string, opts ...Option) []string {
	return windows.inject(ctx, environ, newConfig(opts))
}

func ReadOnWindows(environ []string, opts ...Option) propagation.Remote {
	return windows.read(environ, newConfig(opts))
}

func SetOnWindows(environ []string, key, value string) []string {
	return windows.with(environ, Normalize(key), value)
}
