// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-go/waybill/internal/golden"

	"github.com/waybill-go/waybill/metrics/rules"
)

// mustDefault returns the rules of opts.
func mustDefault(t testing.TB, opts ...rules.Option) rules.Groups {
	t.Helper()
	groups, err := rules.Default(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return groups
}

// yamlOf returns groups as they are written.
func yamlOf(t testing.TB, groups rules.Groups) string {
	t.Helper()
	var text strings.Builder
	n, err := groups.WriteTo(&text)
	if err != nil {
		t.Fatal(err)
	}
	if int(n) != text.Len() {
		t.Errorf("WriteTo reports %d bytes and wrote %d", n, text.Len())
	}
	return text.String()
}

// The rules of declarations are tested by promtool, with declared.test.yaml.
func TestDefault_Declared(t *testing.T) {
	t.Parallel()
	golden.Compare(t, "declared.rules.yaml", yamlOf(t, mustDefault(t,
		rules.Freshness("invoices", 24*time.Hour),
		rules.Objective("orders", time.Minute, 0.99),
		rules.Backlog("orders", 5*time.Minute),
		rules.Loss("orders", time.Hour, 0.01),
		rules.WithExpectedGaps("customers", "payments"),
	)))
}
