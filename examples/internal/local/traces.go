// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"bytes"
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

// Traces is an OTLP/HTTP receiver. It keeps what it receives, writes it to a
// file in OTLP JSON, a request a line, and forwards it if asked to.
type Traces struct {
	forward string

	mu      sync.Mutex
	file    *os.File
	traces  []ptrace.Traces
	failure error
}

// StartTraces starts the receiver. It writes to file, which it makes, and
// forwards to the OTLP/HTTP endpoint forward, unless that is empty.
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
		return nil, "", nil, err
	}
	return t, url, func() { stopServer(); _ = f.Close() }, nil
}

// Received returns all that was received until now.
func (t *Traces) Received() []ptrace.Traces {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clip(t.traces)
}

// Err returns why something could not be written or forwarded, or nil.
func (t *Traces) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failure
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
	err = t.keep(request.Traces())
	if err == nil && t.forward != "" {
		err = SendTraces(t.forward, body)
	}
	if err != nil {
		t.mu.Lock()
		t.failure = err
		t.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// keep remembers traces and writes them to the file.
func (t *Traces) keep(traces ptrace.Traces) error {
	line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.traces = append(t.traces, traces)
	_, err = t.file.Write(append(line, '\n'))
	return err
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
