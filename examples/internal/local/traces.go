// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// Traces is an OTLP/HTTP receiver. It keeps the spans that it receives, and writes them
// to a file as OTLP JSON, with one line for each request.
type Traces struct {
	forward string

	mu       sync.Mutex
	file     *os.File
	traces   []ptrace.Traces
	writeErr error // The first error of the file.
	sendErr  error // The first error of forwarding.
}

// StartTraces starts the receiver. It creates file and writes to it, and forwards
// to the OTLP/HTTP endpoint forward, unless that is empty.
func StartTraces(file, forward string) (t *Traces, url string, stop func(), err error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, "", nil, err
	}
	t = &Traces{forward: forward, file: f}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", t.receive)
	url, stopServer, err := serve(mux)
	if err != nil {
		_ = f.Close() // Nothing was written.
		return nil, "", nil, err
	}
	return t, url, func() { stopServer(); _ = f.Close() }, nil
}

// Received returns the spans that were received so far.
func (t *Traces) Received() []ptrace.Traces {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clip(t.traces)
}

// WriteErr returns the first error of the file, or nil.
func (t *Traces) WriteErr() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.writeErr
}

// Err returns the first error of the file and of forwarding, or nil.
func (t *Traces) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Join(t.writeErr, t.sendErr)
}

func (t *Traces) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	request := ptraceotlp.NewExportRequest()
	if err == nil {
		err = request.UnmarshalProto(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	t.keep(request.Traces())
	if t.forward != "" {
		err = SendTraces(t.forward, body)
		t.mu.Lock()
		t.sendErr = cmp.Or(t.sendErr, err)
		t.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// keep keeps traces and writes them to the file.
func (t *Traces) keep(traces ptrace.Traces) {
	line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.traces = append(t.traces, traces)
	if err == nil && t.writeErr == nil {
		_, err = t.file.Write(append(line, '\n'))
	}
	if t.writeErr == nil && err != nil {
		t.writeErr = fmt.Errorf("the spans cannot be kept: %w", err)
	}
}

// SendTraces sends an OTLP request to an OTLP/HTTP endpoint.
func SendTraces(endpoint string, body []byte) error {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Post(endpoint+"/v1/traces", "application/x-protobuf", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s/v1/traces answered %s", endpoint, response.Status)
	}
	return nil
}
