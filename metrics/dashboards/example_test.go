// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards_test

import (
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/waybill-go/waybill/metrics/dashboards"
)

// The boards of a team whose metrics begin with flow, of which each cluster has
// some, written to the folder that Grafana provisions.
func Example() {
	dir, err := os.MkdirTemp("", "boards")
	if err != nil {
		log.Fatal(err)
	}
	err = dashboards.Write(dir,
		dashboards.WithNamespace("flow"),
		dashboards.WithLabels("cluster"),
		dashboards.WithFreshness(24*time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		log.Fatal(err)
	}
	for _, file := range files {
		fmt.Println(filepath.Base(file))
	}
	_ = os.RemoveAll(dir) // Only an example.
	// Output:
	// flow.json
	// quality.json
	// runtime.json
	// stages.json
}

func ExampleFS() {
	text, err := fs.ReadFile(dashboards.FS(), "flow.json")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Contains(string(text), `"uid": "waybill-flow"`))
	// Output: true
}

func ExampleGenerate() {
	_, err := dashboards.Generate(dashboards.WithNamespace("my-etl"))
	fmt.Println(err)
	// Output: dashboards: invalid namespace "my-etl"
}

func ExampleWrite() {
	dir, err := os.MkdirTemp("", "boards")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(dashboards.Write(filepath.Join(dir, "waybill")))
	_ = os.RemoveAll(dir) // Only an example.
	// Output: <nil>
}

// firstQuery returns the first query of a panel of the boards for opts.
func firstQuery(panel string, opts ...dashboards.Option) dashboards.Query {
	files, err := dashboards.Generate(opts...)
	if err != nil {
		log.Fatal(err)
	}
	for _, text := range files {
		queries, err := dashboards.Queries(text)
		if err != nil {
			log.Fatal(err)
		}
		if i := slices.IndexFunc(queries, func(q dashboards.Query) bool { return q.Panel == panel }); i >= 0 {
			return queries[i]
		}
	}
	return dashboards.Query{}
}

func ExampleWithNamespace() {
	fmt.Println(firstQuery("Retries", dashboards.WithNamespace("flow")).PromQL("1m"))
	// Output:
	// label_replace(sum by (pipeline, stage) (rate(flow_retries_total{pipeline=~".*",stage=~".*"}[1m])), "stage", "whole run", "stage", "")
}

func ExampleWithLabels() {
	fmt.Println(firstQuery("Retries", dashboards.WithLabels("cluster")).Expr)
	// Output:
	// label_replace(sum by (pipeline, stage) (rate(etl_retries_total{pipeline=~"$pipeline",stage=~"$stage",cluster=~"$cluster"}[$__rate_interval])), "stage", "whole run", "stage", "")
}

func ExampleWithFreshness() {
	files, err := dashboards.Generate(dashboards.WithFreshness(24 * time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Contains(string(files["flow.json"]), "**Normal:** Less than 24h"))
	// Output: true
}

func ExampleWithoutKubernetes() {
	files, err := dashboards.Generate(dashboards.WithoutKubernetes())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Contains(string(files["runtime.json"]), "kube_pod_status_ready"))
	// Output: false
}

func ExampleQueries() {
	text, err := fs.ReadFile(dashboards.FS(), "stages.json")
	if err != nil {
		log.Fatal(err)
	}
	queries, err := dashboards.Queries(text)
	if err != nil {
		log.Fatal(err)
	}
	for _, q := range queries[:3] {
		fmt.Println(q.Board, "-", q.Panel, "-", q.Legend)
	}
	// Output:
	// Waybill / Stages - Failing stages - stages
	// Waybill / Stages - Stages without progress - stages
	// Waybill / Stages - Fullest queue - full
}

func ExampleQuery_PromQL() {
	fmt.Println(firstQuery("Runs in flight").PromQL("1m"))
	// Output:
	// label_replace(sum by (pipeline, stage) (etl_in_flight{pipeline=~".*",stage=~".*"}), "stage", "whole run", "stage", "")
}
