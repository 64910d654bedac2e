// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"sync"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/jobs"
)

// workspace is the part of a Databricks workspace that takes runs: it checks what its
// documentation says of them, and starts them with their parameters and nothing else.
type workspace struct {
	url      string
	start    func(launch)
	refusals []int // The statuses of the first calls of a run, so that the SDK tries again.

	mu       sync.Mutex
	last     int64             // The last id.
	declared map[string]string // The parameters of the job, with their defaults.
	tasks    []jobs.SubmitTask // Of the job.
	runs     map[int64]map[string]string
	tokens   map[string]int64 // The run of each idempotency token.
	received map[string][]request
}

// request is a call, as it came in.
type request struct{ body, traceparent string }

func startWorkspace(t testing.TB, start func(launch), refusals ...int) *workspace {
	t.Helper()
	w := &workspace{
		start: start, refusals: refusals, declared: map[string]string{},
		runs: map[int64]map[string]string{}, tokens: map[string]int64{}, received: map[string][]request{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/2.2/jobs/create", handler(w, w.create))
	mux.HandleFunc("POST /api/2.2/jobs/run-now", handler(w, w.runNow))
	mux.HandleFunc("POST /api/2.2/jobs/runs/submit", handler(w, w.submit))
	mux.HandleFunc("POST /api/2.2/jobs/runs/repair", handler(w, w.repair))
	// The client reads the kind of its host.
	mux.HandleFunc("GET /.well-known/databricks-config", func(answer http.ResponseWriter, r *http.Request) {
		respond(answer, http.StatusOK, map[string]string{"host_type": "WORKSPACE_HOST", "oidc_endpoint": "http://" + r.Host + "/oidc"})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// connect returns a client of w that sends its calls with a transport, or with its own.
func connect(t testing.TB, w *workspace, transport http.RoundTripper) *databricks.WorkspaceClient {
	t.Helper()
	client, err := databricks.NewWorkspaceClient(&databricks.Config{Host: w.url, Token: "token", HTTPTransport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// requests returns the calls by the last part of their path.
func (w *workspace) requests() map[string][]request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.received)
}

// handler records and serves each call.
func handler[T any](w *workspace, serve func(T) (map[string]int64, error)) http.HandlerFunc {
	return func(answer http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			refuse(answer, http.StatusBadRequest, err)
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		name := path.Base(r.URL.Path)
		w.received[name] = append(w.received[name], request{body: string(body), traceparent: r.Header.Get("Traceparent")})
		if calls := len(w.received[name]); name != "create" && calls <= len(w.refusals) {
			refuse(answer, w.refusals[calls-1], errors.New("busy"))
			return
		}
		var call T
		if err = json.Unmarshal(body, &call); err == nil {
			var response map[string]int64
			if response, err = serve(call); err == nil {
				respond(answer, http.StatusOK, response)
				return
			}
		}
		refuse(answer, http.StatusBadRequest, err)
	}
}

func refuse(answer http.ResponseWriter, status int, err error) {
	respond(answer, status, map[string]string{"error_code": "REFUSED", "message": err.Error()})
}

func respond(answer http.ResponseWriter, status int, body any) {
	answer.Header().Set("Content-Type", "application/json")
	answer.WriteHeader(status)
	_ = json.NewEncoder(answer).Encode(body) // It fails if the client has gone.
}

// definition is a job. Its tasks have the fields of those that are submitted.
type definition struct {
	Parameters []jobs.JobParameterDefinition `json:"parameters"`
	Tasks      []jobs.SubmitTask             `json:"tasks"`
}

func (w *workspace) create(job definition) (map[string]int64, error) {
	for _, p := range job.Parameters {
		w.declared[p.Name] = p.Default
	}
	w.tasks = job.Tasks
	w.last++
	return map[string]int64{"job_id": w.last}, nil
}

// runNow starts the tasks of the job with its defaults and the parameters of the run.
// For a token that it knows it returns the first run, and starts nothing.
func (w *workspace) runNow(run jobs.RunNow) (map[string]int64, error) {
	if id, ok := w.tokens[run.IdempotencyToken]; ok && run.IdempotencyToken != "" {
		return map[string]int64{"run_id": id}, nil
	}
	parameters, err := w.override(w.declared, run.JobParameters)
	if err != nil {
		return nil, err
	}
	w.last++
	id := w.last
	w.runs[id], w.tokens[run.IdempotencyToken] = parameters, id
	return map[string]int64{"run_id": id}, w.launch(w.tasks, parameters)
}

// repair starts the tasks of a run again, with the parameters that the run has and
// those of the repair.
func (w *workspace) repair(repair jobs.RepairRun) (map[string]int64, error) {
	stored, ok := w.runs[repair.RunId]
	if !ok {
		return nil, fmt.Errorf("there is no run %d", repair.RunId)
	}
	parameters, err := w.override(stored, repair.JobParameters)
	if err != nil {
		return nil, err
	}
	w.last++
	return map[string]int64{"repair_id": w.last}, w.launch(w.tasks, parameters)
}

// submit starts tasks, which have no parameters but their own.
func (w *workspace) submit(run jobs.SubmitRun) (map[string]int64, error) {
	w.last++
	return map[string]int64{"run_id": w.last}, w.launch(run.Tasks, nil)
}

// override returns the parameters of a job or a run with others in their place.
func (w *workspace) override(parameters, others map[string]string) (map[string]string, error) {
	if err := check("job_parameters", others); err != nil {
		return nil, err
	}
	parameters = maps.Clone(parameters)
	for key, value := range others {
		if _, ok := w.declared[key]; !ok {
			return nil, fmt.Errorf("the job has no parameter %q", key)
		}
		parameters[key] = value
	}
	return parameters, nil
}

// launch starts tasks with the parameters of their job.
func (w *workspace) launch(tasks []jobs.SubmitTask, parameters map[string]string) error {
	for _, task := range tasks {
		l, err := launchOf(task, parameters)
		if err != nil {
			return err
		}
		w.start(l)
	}
	return nil
}
