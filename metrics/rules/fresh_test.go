// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"testing"
	"time"

	"github.com/waybill-go/waybill/internal/golden"
	"github.com/waybill-go/waybill/metrics/rules"
)

// The rules are tested by promtool, with fresh.test.yaml.
func TestDefault_FreshEveryFewMinutes(t *testing.T) {
	t.Parallel()
	golden.Compare(t, "fresh.rules.yaml", yamlOf(t, mustDefault(t, rules.Freshness("orders", 5*time.Minute))))
}
