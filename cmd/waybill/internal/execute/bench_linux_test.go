// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute_test

import (
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/waybill-go/waybill/cmd/waybill/internal/execute"
)

// The limits over the command alone.
const (
	maxStart  = 15 * time.Millisecond
	maxMemory = 20 << 10 // KiB.
)

// BenchmarkRun_Start runs /bin/true alone and as a job, in turns, and reports the
// medians of what the job takes more, and the memory of the job while its command runs. It
// fails over the limits.
//
//	go test -run '^$' -bench Start -benchtime 100x ./internal/execute
func BenchmarkRun_Start(b *testing.B) {
	var alone, asJob []time.Duration
	measure := func(cmd *exec.Cmd) time.Duration {
		began := time.Now()
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	for b.Loop() {
		alone = append(alone, measure(exec.CommandContext(b.Context(), "/bin/true")))
		asJob = append(asJob, measure(job(b, execute.Config{Command: []string{"/bin/true"}})))
	}
	start, memory := median(asJob)-median(alone), memoryOfJob(b)
	b.ReportMetric(float64(start.Microseconds())/1e3, "ms-more/op")
	b.ReportMetric(float64(memory)/(1<<10), "MiB-more/op")
	if start > maxStart || memory > maxMemory {
		b.Errorf("%v and %d KiB more than the command alone, want at most %v and %d KiB", start, memory, maxStart, maxMemory)
	}
}

// memoryOfJob returns the most memory, in KiB, that a job has had when its command ends.
func memoryOfJob(b *testing.B) (kib int) {
	b.Helper()
	output, err := job(b, execute.Config{Command: sh("grep VmHWM /proc/$PPID/status")}).Output()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(output), "VmHWM: %d kB", &kib); err != nil {
		b.Fatalf("%q: %v", output, err)
	}
	return kib
}

// BenchmarkRun_Rows pipes 256 MiB through a job that looks for rows.
func BenchmarkRun_Rows(b *testing.B) {
	const size = 256 << 20
	for _, rows := range []execute.RowsMode{execute.RowsNever, execute.RowsAlways} {
		b.Run(string(rows), func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				cmd := job(b, execute.Config{Command: sh("yes '2026-11-30T09:00:00Z level=info msg=loaded' | head -c %d", size), Rows: rows})
				counted := new(counter)
				cmd.Stdout = counted
				if err := cmd.Run(); err != nil || *counted != size {
					b.Fatalf("%d bytes: %v", *counted, err)
				}
			}
		})
	}
}

// counter is a writer that counts bytes.
type counter int

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func median(values []time.Duration) time.Duration {
	slices.Sort(values)
	return values[len(values)/2]
}
