// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package alerts holds the default alerts of data pipelines, as a rules file of
// Prometheus. Package rules makes one with other thresholds.
package alerts

import (
	_ "embed" // The rules are a file beside this one.
)

//go:generate go run ../internal/writerules waybill.rules.yaml

//go:embed waybill.rules.yaml
var text string

// Rules returns the file waybill.rules.yaml of this package, which is what
// rules.Default makes without options. The caller may modify the result.
func Rules() []byte { return []byte(text) }
