// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// peers are the modules that are compared, and what they stand on.
var peers = []string{
	"github.com/waybill-go/waybill",
	"github.com/twmb/franz-go/plugin/kotel",
	"github.com/dnwe/otelsarama",
	"github.com/Trendyol/otel-kafka-konsumer",
	"github.com/DataDog/dd-trace-go/contrib/segmentio/kafka-go/v2",
	"github.com/segmentio/kafka-go",
	"github.com/twmb/franz-go",
	"github.com/IBM/sarama",
	"github.com/prometheus/client_golang",
	"github.com/ThreeDotsLabs/watermill",
	"github.com/riverqueue/rivercontrib/otelriver",
	"go.opentelemetry.io/otel",
}

func printMachine() {
	fmt.Printf("%s, %s, %d cores.\n\n", runtime.Version(), processor(), runtime.NumCPU())
	fmt.Println("| Module | Version |")
	fmt.Println("|---|---|")
	info, _ := debug.ReadBuildInfo()
	for _, path := range peers {
		i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == path })
		switch {
		case i < 0:
			fmt.Printf("| %s | unknown |\n", path)
		case info.Deps[i].Replace != nil:
			fmt.Printf("| %s | this tree |\n", path)
		default:
			fmt.Printf("| %s | %s |\n", path, info.Deps[i].Version)
		}
	}
}

// processor returns the model of the processor, where the system tells it.
func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer file.Close() //nolint:errcheck // only read.
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// printTable prints rows and columns in the order of their first task.
func printTable[V any](title string, at []cell, values map[cell]V, format func(V) string) {
	var rows, columns []string
	for _, c := range at {
		if !slices.Contains(rows, c.row) {
			rows = append(rows, c.row)
		}
		if !slices.Contains(columns, c.column) {
			columns = append(columns, c.column)
		}
	}
	fmt.Printf("\n### %s\n\n", title)
	fmt.Println("| | " + strings.Join(columns, " | ") + " |")
	fmt.Println("|---" + strings.Repeat("|---:", len(columns)) + "|")
	for _, row := range rows {
		line := []string{row}
		for _, column := range columns {
			text := "–"
			if v, ok := values[cell{row, column}]; ok {
				text = format(v)
			}
			line = append(line, text)
		}
		fmt.Println("| " + strings.Join(line, " | ") + " |")
	}
}

func cells(tasks []task) []cell {
	var at []cell
	for _, t := range tasks {
		at = append(at, cell{t.row, t.column})
	}
	return at
}

func formatCost(c cost) string {
	return fmt.Sprintf("%s, %s B, %d", nanoseconds(c.ns), thousands(c.bytes), c.allocs)
}

func nanoseconds(ns float64) string {
	if ns >= 10_000 {
		return fmt.Sprintf("%.1f µs", ns/1000)
	}
	return thousands(int64(ns+0.5)) + " ns"
}

// thousands separates the thousands of n.
func thousands(n int64) string {
	if n < 0 {
		return "-" + thousands(-n)
	}
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

func formatRate(r rate) string {
	return fmt.Sprintf("%s/s, %.0f %%, %.1f µs", thousands(int64(r.perSecond)), 100*r.relative, r.cpu)
}
