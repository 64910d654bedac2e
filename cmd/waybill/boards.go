// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/metrics/dashboards"
)

func newBoards() *cobra.Command {
	var namespace string
	var labels []string
	var freshness time.Duration
	var withoutKubernetes bool
	cmd := &cobra.Command{
		Use:   "boards [DIRECTORY]",
		Short: "Write the boards of Grafana for the metrics of waybill",
		Long: "Boards writes four boards of Grafana as JSON files, to import or to provision: the flow,\n" +
			"its stages, the quality of its data, and its processes. The default directory is the\n" +
			"current one.",
		Example: "  waybill boards dashboards\n" +
			"  waybill boards --namespace flow --label team dashboards",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			opts := []dashboards.Option{dashboards.WithLabels(labels...)}
			if namespace != "" {
				opts = append(opts, dashboards.WithNamespace(namespace))
			}
			if freshness != 0 {
				opts = append(opts, dashboards.WithFreshness(freshness))
			}
			if withoutKubernetes {
				opts = append(opts, dashboards.WithoutKubernetes())
			}
			files, err := dashboards.Generate(opts...)
			if err != nil {
				return err
			}
			if err := dashboards.Write(dir, opts...); err != nil {
				return err
			}
			for _, name := range sorted(files) {
				cmd.Println("wrote", filepath.Join(dir, name))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&namespace, "namespace", "", "the `PREFIX` of the metrics, as in metrics.WithNamespace")
	cmd.Flags().StringSliceVar(&labels, "label", nil, "`LABELS` that become variables of the boards")
	cmd.Flags().DurationVar(&freshness, "freshness", 0, "the `AGE` that the last success of a pipeline may have")
	cmd.Flags().BoolVar(&withoutKubernetes, "without-kubernetes", false, "leave out what kube-state-metrics measures")
	return cmd
}
