// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"fmt"
	"sync"

	"go.opentelemetry.io/otel"
)

// What keeps a context out of a document is reported once a process, because
// the next document has the same trouble.
var (
	tooLarge sync.Once //nolint:gochecknoglobals // once a process.
	blocked  sync.Once //nolint:gochecknoglobals // once a process.
	conflict sync.Once //nolint:gochecknoglobals // once a process.
)

func reportTooLarge() {
	tooLarge.Do(func() { report(errTooLarge) })
}

func reportBlocked(path string) {
	blocked.Do(func() { report(fmt.Errorf("%w: %q", errBlocked, path)) })
}

func reportConflict(path string) {
	conflict.Do(func() { report(fmt.Errorf("%w: %q", errConflict, path)) })
}

func report(err error) {
	otel.Handle(fmt.Errorf("mongocarrier: a document was left without a context: %w", err))
}
