// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/waybill-go/waybill/metrics/rules"
)

// A team's own thresholds are six lines of Go. A file for rule_files of Prometheus
// takes the place of io.Discard.
func Example() {
	groups, err := rules.Default(
		rules.Freshness("invoices", 24*time.Hour),
		rules.Objective("orders", time.Minute, 0.99),
		rules.Backlog("orders.raw", 5*time.Minute),
	)
	if err != nil {
		log.Fatal(err)
	}
	_, err = groups.WriteTo(io.Discard)
	fmt.Println(len(groups), err)
	// Output: 5 <nil>
}

// rulesOf returns the rules of an alert.
func rulesOf(alert string, opts ...rules.Option) []rules.Rule {
	groups, err := rules.Default(opts...)
	if err != nil {
		log.Fatal(err)
	}
	var found []rules.Rule
	for _, group := range groups {
		for _, rule := range group.Rules {
			if rule.Alert == alert {
				found = append(found, rule)
			}
		}
	}
	return found
}

func ExampleDefault() {
	groups, err := rules.Default()
	if err != nil {
		log.Fatal(err)
	}
	for _, group := range groups {
		fmt.Println(group.Name, len(group.Rules))
	}

	_, err = rules.Default(rules.WithNamespace("my-team"), rules.WithMemory(-1))
	fmt.Println(err)
	// Output:
	// waybill-stages 5
	// waybill-freshness 6
	// waybill-kafka 4
	// waybill-processes 3
	// rules: WithNamespace: invalid namespace "my-team"
	// rules: WithMemory: invalid share -1: not from 0 to 1
}

func ExampleGroups_WriteTo() {
	groups := rules.Groups{{Name: "mine", Rules: []rules.Rule{{
		Alert:  "QueueFull",
		Expr:   "etl_queue_rows >= etl_queue_capacity_rows",
		For:    10 * time.Minute,
		Labels: map[string]string{"severity": "warning"},
	}}}}
	if _, err := groups.WriteTo(os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// groups:
	//   - name: mine
	//     rules:
	//       - alert: QueueFull
	//         expr: |-
	//           etl_queue_rows >= etl_queue_capacity_rows
	//         for: 10m
	//         labels:
	//           severity: warning
}

func ExampleAlerts() {
	fmt.Println(rules.Alerts()[:3])
	// Output: [EtlErrorRatio EtlErrorSurge EtlNotFresh]
}

func ExampleEqual() {
	fmt.Println(rules.Equal("env", "prod"))
	// Output: env="prod"
}

func ExampleNotEqual() {
	fmt.Println(rules.NotEqual("stage", "dead letters"))
	// Output: stage!="dead letters"
}

func ExampleMatching() {
	fmt.Println(rules.Matching("namespace", "team-.*"))
	// Output: namespace=~"team-.*"
}

func ExampleNotMatching() {
	fmt.Println(rules.NotMatching("pipeline", "test-.*"))
	// Output: pipeline!~"test-.*"
}

func ExampleMatcher_String() {
	fmt.Println(rules.Equal("quoted", `a"b`).String())
	// Output: quoted="a\"b"
}

func ExampleFreshness() {
	for _, rule := range rulesOf(rules.AlertNotFresh, rules.Freshness("invoices", 24*time.Hour))[1:] {
		fmt.Println(rule.Labels["pipeline"], rule.Labels["signal"], rule.For)
	}
	// Output:
	// invoices age 1m0s
	// invoices absent 48h0m0s
}

func ExampleObjective() {
	for _, rule := range rulesOf(rules.AlertObjectiveBurn, rules.Objective("orders", time.Minute, 0.99)) {
		fmt.Println(rule.Labels["objective"], rule.Labels["severity"])
	}
	// Output:
	// 99% in 1m critical
	// 99% in 1m warning
}

func ExampleLoss() {
	rule := rulesOf(rules.AlertDataLoss, rules.Loss("orders", time.Hour, 0.01))[2]
	fmt.Println(rule.Labels["topic"], rule.Labels["signal"], rule.For)
	// Output: orders missing 1h0m0s
}

func ExampleBacklog() {
	rule := rulesOf(rules.AlertBacklog, rules.Backlog("orders", 5*time.Minute))[1]
	fmt.Println(rule.Labels["topic"], rule.Labels["signal"])
	// Output: orders growing
}

func ExampleWithNamespace() {
	fmt.Println(rulesOf(rules.AlertMemory, rules.WithNamespace("flow"))[0].Expr)
	// Output:
	// max by (job, instance) (flow_memory_bytes)
	// /
	// min by (job, instance) (flow_memory_limit_bytes)
	// > 0.9
}

func ExampleWithLabels() {
	fmt.Println(rulesOf(rules.AlertMemory, rules.WithLabels(map[string]string{"team": "orders"}))[0].Labels)
	// Output: map[severity:warning team:orders]
}

func ExampleWithMatchers() {
	fmt.Println(rulesOf(rules.AlertMemory, rules.WithMatchers(rules.Equal("env", "prod")))[0].Expr)
	// Output:
	// max by (job, instance) (etl_memory_bytes{env="prod"})
	// /
	// min by (job, instance) (etl_memory_limit_bytes{env="prod"})
	// > 0.9
}

func ExampleWithAlertMatchers() {
	fmt.Println(rulesOf(rules.AlertMemory, rules.WithAlertMatchers(rules.AlertMemory, rules.NotEqual("job", "batch")))[0].Expr)
	// Output:
	// max by (job, instance) (etl_memory_bytes{job!="batch"})
	// /
	// min by (job, instance) (etl_memory_limit_bytes{job!="batch"})
	// > 0.9
}

func ExampleWithGrouping() {
	fmt.Println(rulesOf(rules.AlertMemory, rules.WithGrouping("namespace"))[0].Expr)
	// Output:
	// max by (job, instance, namespace) (etl_memory_bytes)
	// /
	// min by (job, instance, namespace) (etl_memory_limit_bytes)
	// > 0.9
}

func ExampleWithRunbooks() {
	fmt.Println(rulesOf(rules.AlertMemory, rules.WithRunbooks("https://wiki.example.com/etl"))[0].Annotations["runbook_url"])
	// Output: https://wiki.example.com/etl/EtlMemory.md
}

func ExampleWithDashboards() {
	fmt.Println(rulesOf(rules.AlertMemory, rules.WithDashboards("https://grafana.example.com"))[0].Annotations["dashboard"])
	// Output: https://grafana.example.com/d/waybill-runtime?var-instance={{ urlquery $labels.instance }}
}

func ExampleWithSeverities() {
	fmt.Println(rulesOf(rules.AlertMemory, rules.WithSeverities("page", "ticket", "log"))[0].Labels)
	// Output: map[severity:ticket]
}

func ExampleWithInterval() {
	groups, err := rules.Default(rules.WithInterval(15 * time.Second))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(groups[0].Interval)
	// Output: 15s
}

func ExampleWithoutAlerts() {
	fmt.Println(len(rulesOf(rules.AlertMemory, rules.WithoutAlerts(rules.AlertMemory))))
	// Output: 0
}

func ExampleWithFor() {
	fmt.Println(rulesOf(rules.AlertMemory, rules.WithFor(rules.AlertMemory, time.Minute))[0].For)
	// Output: 1m0s
}

func ExampleWithWindow() {
	rule := rulesOf(rules.AlertNotFresh, rules.WithWindow(rules.AlertNotFresh, 72*time.Hour))[0]
	fmt.Println(rule.Expr[:111])
	// Output:
	// time() - max by (pipeline, stage) (
	//   max_over_time(etl_last_success_timestamp_seconds{replay=""}[3d])
	// )
	// > 7200
}

func ExampleWithBuckets() {
	rule := rulesOf(rules.AlertObjectiveBurn, rules.WithBuckets(1, 5, 25), rules.Objective("orders", 25*time.Second, 0.99))[0]
	fmt.Println(rule.Labels["objective"])
	// Output: 99% in 25s
}

func ExampleWithoutClassicBuckets() {
	rule := rulesOf(rules.AlertObjectiveBurn, rules.WithoutClassicBuckets(), rules.Objective("orders", 17*time.Second, 0.99))[0]
	fmt.Println(rule.Labels["objective"])
	// Output: 99% in 17s
}

func ExampleWithExpectedGaps() {
	rule := rulesOf(rules.AlertDataLoss, rules.WithExpectedGaps("customers"))[0]
	fmt.Println(strings.Contains(rule.Expr, `topic!~"customers"`))
	// Output: true
}

func ExampleWithMinEvents() {
	fmt.Println(rulesOf(rules.AlertObjectiveBurn, rules.WithMinEvents(20), rules.Objective("orders", time.Minute, 0.99))[0].Expr)
	// Output:
	// pipeline:etl_end_to_end_late:ratio_rate1h{pipeline="orders",objective="99% in 1m"} > 0.144
	// and
	// pipeline:etl_end_to_end_late:ratio_rate5m{pipeline="orders",objective="99% in 1m"} > 0.144
	// and
	// pipeline:etl_end_to_end_late:increase1h{pipeline="orders",objective="99% in 1m"} >= 20
}

// last prints the end of the expression of the first rule of an alert.
func last(n int, alert string, opts ...rules.Option) {
	expr := rulesOf(alert, opts...)[0].Expr
	fmt.Println(expr[len(expr)-n:])
}

func ExampleWithErrorRatio() {
	last(5, rules.AlertErrorRatio, rules.WithErrorRatio(0.01, 0.1))
	// Output: > 0.1
}

func ExampleWithErrorSurge() {
	last(71, rules.AlertErrorSurge, rules.WithErrorSurge(10, 1))
	// Output: <= 10 * sum by (pipeline, stage) (rate(etl_errors_total[1d] offset 5m))
}

func ExampleWithStoppedAfter() {
	rule := rulesOf(rules.AlertBacklog, rules.WithStoppedAfter(time.Hour))[1]
	fmt.Println(rule.Annotations["description"])
	// Output: Messages of topic {{ $labels.topic }} wait, and group {{ $labels.group }} has fetched none for 1h.
}

func ExampleWithLatency() {
	last(4, rules.AlertLatency, rules.WithLatency(10*time.Second, time.Minute))
	// Output: > 10
}

func ExampleWithRejectRatio() {
	last(5, rules.AlertRejectRatio, rules.WithRejectRatio(0.2, 1000))
	// Output: > 0.2
}

func ExampleWithMemory() {
	last(6, rules.AlertMemory, rules.WithMemory(0.95))
	// Output: > 0.95
}
