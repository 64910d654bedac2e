// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

// settings is what a process is told, as JSON in its environment.
type settings struct {
	Role      role
	Kafka     string   // The address of the broker.
	Listen    string   // The address of /metrics and /faults.
	Pipelines []string // A worker and a job have one.
	Gateway   string   // The Pushgateway, for a job.
	Fails     bool     // Reports whether a job fails.
}

// role is what a process does.
type role string

const (
	roleSource role = "source"
	roleWorker role = "worker"
	roleJob    role = "job"
)

// MemoryLimit is the memory, in bytes, that a process may use.
const MemoryLimit = 256 << 20

// variable is the environment variable that holds the settings.
const variable = "WAYBILL_E2E_PIPELINE"

func (s settings) environ(t testing.TB) []string {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return []string{variable + "=" + string(text)}
}

// Process is a process that serves its metrics and can be broken.
type Process struct {
	*server.HTTPServer
	t testing.TB
}

// Source starts the process that writes the rows of the given pipelines. The
// topics must exist.
func Source(t testing.TB, kafka string, pipelines ...string) *Process {
	t.Helper()
	return start(t, settings{Role: roleSource, Kafka: kafka, Pipelines: pipelines})
}

// Worker starts a process that reads the topic of pipeline. Two workers of a
// pipeline share its partitions.
func Worker(t testing.TB, kafka, pipeline string) *Process {
	t.Helper()
	return start(t, settings{Role: roleWorker, Kafka: kafka, Pipelines: []string{pipeline}})
}

// Job runs a job once, and returns when it has pushed its metrics to gateway.
func Job(t testing.TB, gateway, pipeline string) {
	t.Helper()
	if out, err := runJob(t, settings{Gateway: gateway, Pipelines: []string{pipeline}}); err != nil {
		t.Errorf("the job %s ended with %v:\n%s", pipeline, err, out)
	}
}

// FailingJob is [Job] for a job that fails.
func FailingJob(t testing.TB, gateway, pipeline string) {
	t.Helper()
	if out, err := runJob(t, settings{Gateway: gateway, Pipelines: []string{pipeline}, Fails: true}); err == nil {
		t.Errorf("the job %s did not fail:\n%s", pipeline, out)
	}
}

func runJob(t testing.TB, s settings) (output []byte, err error) {
	t.Helper()
	s.Role = roleJob
	cmd := exec.Command(binary(t))
	cmd.Env = append(cmd.Environ(), s.environ(t)...)
	return cmd.CombinedOutput()
}

func start(t testing.TB, s settings) *Process {
	t.Helper()
	s.Listen = server.FreeAddr(t)
	environ := append(s.environ(t), "GOMEMLIMIT="+strconv.Itoa(MemoryLimit))
	return &Process{server.Program(t, s.Listen, environ, binary(t)), t}
}

func binary(t testing.TB) string {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// Set injects a fault into a pipeline of the process. The value 0 removes it.
func (p *Process) Set(pipeline string, fault Fault, value float64) {
	p.t.Helper()
	body, err := json.Marshal(value)
	if err != nil {
		p.t.Fatal(err)
	}
	url := p.URL() + "/faults/" + pipeline + "/" + string(fault)
	resp, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		p.t.Errorf("%v; the log of the process ends with:\n%s", err, p.Log())
		return
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		p.t.Errorf("%s is answered with %s", url, resp.Status)
	}
}
