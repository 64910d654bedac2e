// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/metrics/rules"
)

// ruleFlags are the flags of rules.
type ruleFlags struct {
	namespace, output, runbooks, dashboards string
	freshness, objectives, backlogs, losses []string
	gaps, without                           []string
}

func newRules() *cobra.Command {
	var flags ruleFlags
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "Write the alerts for the metrics of waybill, with thresholds of your own",
		Long: "Rules writes a rules file of Prometheus. What is not given keeps its default; package\n" +
			"metrics/rules has more options, as Go.",
		Example: "  waybill rules -o waybill.rules.yaml\n" +
			"  waybill rules --freshness invoices=24h --objective orders=1m:0.99 --expected-gaps prices",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts, err := flags.options()
			if err != nil {
				return err
			}
			groups, err := rules.Default(opts...)
			if err != nil {
				return err
			}
			write := func(w io.Writer) error { _, err := groups.WriteTo(w); return err }
			if flags.output == "-" {
				return write(cmd.OutOrStdout())
			}
			return writeFile(flags.output, write)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&flags.output, "output", "o", "-", "the `FILE` to write, or - for standard output")
	f.StringVar(&flags.namespace, "namespace", "", "the `PREFIX` of the metrics, as in metrics.WithNamespace")
	f.StringVar(&flags.runbooks, "runbooks", "", "the `URL` of the runbooks")
	f.StringVar(&flags.dashboards, "dashboards", "", "the `URL` of Grafana")
	f.StringSliceVar(&flags.freshness, "freshness", nil, "`PIPELINE=EVERY`: how often a pipeline must succeed")
	f.StringSliceVar(&flags.objectives, "objective", nil, "`PIPELINE=LATENCY:SHARE`: which share of the data must be done in which time")
	f.StringSliceVar(&flags.backlogs, "backlog", nil, "`TOPIC=WITHIN`: in which time a backlog must be read")
	f.StringSliceVar(&flags.losses, "loss", nil, "`TOPIC=WITHIN:SHARE`: which share of the messages may be missing after which time")
	f.StringSliceVar(&flags.gaps, "expected-gaps", nil, "`TOPICS` whose offsets have gaps: compacted ones, and those that are written in transactions")
	f.StringSliceVar(&flags.without, "without", nil, "`ALERTS` to leave out")
	return cmd
}

// options returns the options that the flags stand for.
func (f *ruleFlags) options() ([]rules.Option, error) {
	opts := []rules.Option{rules.WithExpectedGaps(f.gaps...), rules.WithoutAlerts(f.without...)}
	for _, given := range []struct {
		value string
		make  func(string) rules.Option
	}{{f.namespace, rules.WithNamespace}, {f.runbooks, rules.WithRunbooks}, {f.dashboards, rules.WithDashboards}} {
		if given.value != "" {
			opts = append(opts, given.make(given.value))
		}
	}
	for _, given := range []struct {
		flag   string
		values []string
		parse  func(value string) (rules.Option, error)
	}{
		{"freshness", f.freshness, within(rules.Freshness)},
		{"backlog", f.backlogs, within(rules.Backlog)},
		{"objective", f.objectives, withShare(rules.Objective)},
		{"loss", f.losses, withShare(rules.Loss)},
	} {
		for _, value := range given.values {
			opt, err := given.parse(value)
			if err != nil {
				return nil, fmt.Errorf("--%s %q: %w", given.flag, value, err)
			}
			opts = append(opts, opt)
		}
	}
	return opts, nil
}

var (
	errNoDuration = errors.New("want NAME=DURATION")
	errNoShare    = errors.New("want NAME=DURATION:SHARE")
)

// within returns a function that parses the argument of a flag such as "orders=1m".
func within(option func(string, time.Duration) rules.Option) func(string) (rules.Option, error) {
	return func(value string) (rules.Option, error) {
		i := strings.LastIndex(value, "=")
		if i < 0 {
			return nil, errNoDuration
		}
		d, err := time.ParseDuration(value[i+1:])
		return option(value[:i], d), err
	}
}

// withShare is within for "orders=1m:0.99".
func withShare(option func(string, time.Duration, float64) rules.Option) func(string) (rules.Option, error) {
	return func(value string) (rules.Option, error) {
		i := strings.LastIndex(value, ":")
		if i < 0 {
			return nil, errNoShare
		}
		share, err := strconv.ParseFloat(value[i+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("the share %q is not a number", value[i+1:])
		}
		return within(func(name string, d time.Duration) rules.Option { return option(name, d, share) })(value[:i])
	}
}
