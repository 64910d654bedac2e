// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/examples/internal/program"
)

func TestProgramEndsByItself(t *testing.T) {
	t.Parallel()
	program.Compare(t, program.Output(t, "-metrics", "127.0.0.1:0", "-rows", "4"), `metrics: http://localhost:<port>/metrics
0 -> 0
2 -> 1
`)
}

func TestProgramServesMetricsUntilItIsInterrupted(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(program.Build(t), "-metrics", "127.0.0.1:0", "-rows", "1000000")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	lines.Scan()
	url := strings.TrimPrefix(lines.Text(), "metrics: ")
	for lines.Scan() && lines.Text() != "2 -> 1" {
	}
	metrics := get(t, url)
	for _, want := range []string{
		`etl_rows_processed_total{pipeline="example",source="",stage="half"} 2`,
		`etl_rows_processed_total{pipeline="example",source="",stage="load"} 2`,
		`etl_checks_total{check="even",pipeline="example",result="passed",stage="validate"} 2`,
		`etl_rows_rejected_total{pipeline="example",reason="even",stage="validate"} 1`,
		`etl_queue_capacity_rows{pipeline="example",stage="load"} 16`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("%s is not among the metrics:\n%s", want, metrics)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, stdout)
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
