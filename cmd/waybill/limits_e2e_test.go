// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A million spans take less than 12 s of two processors and less than 1.5 GB. Processor
// time is what is compared: it is the same if others use the machine.
func TestDoctor_Limits(t *testing.T) {
	const spans, seconds, processors, memory = 1_000_000, 12, 2, 1_500_000_000
	size := bytesOf(t, spans)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "doctor")
	cmd.Env = append(os.Environ(), mainVariable+"=1")
	cmd.Stdin = newSynthetic(t, spans)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	code := exitCodeOf(t, cmd.Run())
	took := time.Since(began)
	if code != exitFindings || !strings.Contains(stdout.String(), "250,000 flows, 250 BROKEN, 249,750 CONNECTED; 1,000,000 spans") {
		t.Fatalf("exit code %d, output %q, standard error %q", code, clipped(stdout.String()), clipped(stderr.String()))
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("the system does not say how much memory was used")
	}
	const kB = 1024
	t.Logf("%d spans, %d bytes: %s of processor time, %s in all, %d MB", spans, size, used, took, usage.Maxrss*kB/1e6)
	if used > seconds*processors*time.Second {
		t.Errorf("%s of processor time, want at most %d s on each of %d", used, seconds, processors)
	}
	if usage.Maxrss*kB > memory {
		t.Errorf("%d bytes of memory, want at most %d", usage.Maxrss*kB, memory)
	}
}

// A report of 10,000 spans takes less than a second and 3 MB.
func TestReport_Limits(t *testing.T) {
	const spans, most, bytesOfPage = 10_000, time.Second, 3_000_000
	file := filepath.Join(t.TempDir(), "flow.html")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "report", "-o", file)
	cmd.Env = append(os.Environ(), mainVariable+"=1")
	cmd.Stdin = newSynthetic(t, spans)
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	t.Logf("%d spans: %s of processor time, %s in all, a page of %d bytes", spans, used, time.Since(began), info.Size())
	if used > most {
		t.Errorf("%s of processor time, want at most %s", used, most)
	}
	if info.Size() > bytesOfPage {
		t.Errorf("a page of %d bytes, want at most %d", info.Size(), bytesOfPage)
	}
}

// The binary has less than 25 MB, with its symbols and without. It has 4 MB more if a
// template is executed anywhere, because the linker then keeps all exported methods.
func TestBinary_Size(t *testing.T) {
	const most = 25_000_000
	for _, tt := range []struct{ name, flags string }{
		{name: "plain"},
		{name: "without symbols", flags: "-s -w"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "waybill")
			cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags", tt.flags, "-o", file, ".")
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes", info.Size())
			if info.Size() > most {
				t.Errorf("%d bytes, want at most %d", info.Size(), most)
			}
		})
	}
}
