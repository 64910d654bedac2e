// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package languages_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// command builds the command once, and returns its path.
func command(t *testing.T) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "waybill")
}

var (
	folder string // Where the command is built; TestMain makes and removes it.
	build  = sync.OnceValue(func() error {
		cmd := exec.Command("go", "build", "-o", filepath.Join(folder, "waybill"), ".")
		cmd.Dir = filepath.Join("..", "..", "..", "cmd", "waybill")
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = errors.New(string(out))
		}
		return err
	})
)

func TestMain(m *testing.M) {
	if service := os.Getenv(asJob); service != "" {
		runJob(service)
		return
	}
	os.Exit(func() int {
		var err error
		if folder, err = os.MkdirTemp("", "waybill-languages-"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(folder) //nolint:errcheck // it is in the folder for temporary files.
		return m.Run()
	}())
}

// diagnosis is what doctor says as JSON.
type diagnosis struct {
	Summary  string
	Findings []struct{ ID, Level, What, Why string }
}

// doctor returns what the command finds in the file recording.
func doctor(t *testing.T, recording string) diagnosis {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command(t), "doctor", "--format", "json", recording)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		err = nil // There are violations.
	}
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("doctor: %v\n%s", err, &stderr)
	}
	var d diagnosis
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// requireHealthy checks that doctor finds nothing above info in what was received,
// and that its summary begins with want. The name is that of the recording.
func requireHealthy(t *testing.T, c *collector, name, want string) {
	t.Helper()
	traces := c.traces(t)
	record(t, name, traces)
	recording := filepath.Join(t.ArtifactDir(), "spans.json")
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	if err == nil {
		err = os.WriteFile(recording, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	d := doctor(t, recording)
	failed := !strings.HasPrefix(d.Summary, want)
	for _, f := range d.Findings {
		failed = failed || f.Level != "info"
	}
	if failed {
		tree, err := exec.CommandContext(t.Context(), command(t), "tree", recording).CombinedOutput()
		t.Fatalf("%s: the summary is %q, want %q and nothing above info: %+v\n%s%v", name, d.Summary, want, d.Findings, tree, err)
	}
}
