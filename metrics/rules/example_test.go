// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"fmt"
	"log"
	"os"
	"time"

	"github.com/waybill-go/waybill/metrics/rules"
)

// A team's own thresholds are six lines of Go. Redirect the output to a file that
// rule_files of Prometheus names.
func Example() {
	groups, err := rules.Default(
		rules.WithoutAlerts(rules.Alerts()[1:]...), // For a short output.
		rules.WithErrorRatio(0.01, 0.1),
		rules.Freshness("invoices", 24*time.Hour),
	)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := groups[:0].WriteTo(os.Stdout); err != nil {
		log.Fatal(err)
	}
	fmt.Println(groups[0].Rules[1].Alert, groups[0].Rules[1].For, groups[0].Rules[1].Labels)
	// Output:
	// groups:
	// EtlErrorRatio 5m0s map[severity:warning]
}
