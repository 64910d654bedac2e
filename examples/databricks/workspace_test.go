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
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
)

// workspace is the part of a Databricks workspace that takes runs: it checks what its
// documentation says of them, and starts them with their parameters and nothing else.
type workspace struct {
	url      string
	notebook func(parameters map[string]string)
	script   func(args []string)

	busy bool // Whether it refuses the first call of a run, so that the SDK tries again.

	mu       sync.Mutex
	last     int64             // The last id.
	declared map[string]string // The parameters of the job, with their defaults.
	tasks    []jobs.Task       // Of the job.
	received map[string][]request
}

// request is a call, as it came in.
type request struct{ body, traceparent string }

func startWorkspace(t testing.TB, notebook func(map[string]string), script func([]string)) *workspace {
	t.Helper()
	w := &workspace{notebook: notebook, script: script, busy: true, declared: map[string]string{}, received: map[string][]request{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/2.2/jobs/create", handler(w, w.create))
	mux.HandleFunc("POST /api/2.2/jobs/run-now", handler(w, w.runNow))
	mux.HandleFunc("POST /api/2.2/jobs/runs/submit", handler(w, w.submit))
	// The client reads the kind of its host.
	mux.HandleFunc("GET /.well-known/databricks-config", func(answer http.ResponseWriter, r *http.Request) {
		respond(answer, http.StatusOK, map[string]string{"host_type": "WORKSPACE_HOST", "oidc_endpoint": "http://" + r.Host + "/oidc"})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
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
		if w.busy && name != "create" && len(w.received[name]) == 1 {
			refuse(answer, http.StatusTooManyRequests, errors.New("too many requests"))
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

func (w *workspace) create(job jobs.CreateJob) (map[string]int64, error) {
	for _, p := range job.Parameters {
		w.declared[p.Name] = p.Default
	}
	w.tasks = job.Tasks
	w.last++
	return map[string]int64{"job_id": w.last}, nil
}

// runNow starts the tasks of the job: the notebook with the defaults of the job and the
// parameters of the run, and the script with the values that its arguments refer to.
func (w *workspace) runNow(run jobs.RunNow) (map[string]int64, error) {
	if err := check("job_parameters", run.JobParameters); err != nil {
		return nil, err
	}
	parameters := maps.Clone(w.declared)
	for key, value := range run.JobParameters {
		if _, ok := w.declared[key]; !ok {
			return nil, fmt.Errorf("the job has no parameter %q", key)
		}
		parameters[key] = value
	}
	for _, task := range w.tasks {
		if task.NotebookTask != nil {
			w.notebook(parameters)
			continue
		}
		var args []string
		for _, arg := range task.SparkPythonTask.Parameters {
			args = append(args, reference.ReplaceAllStringFunc(arg, func(found string) string {
				return parameters[reference.FindStringSubmatch(found)[1]]
			}))
		}
		w.script(args)
	}
	w.last++
	return map[string]int64{"run_id": w.last}, nil
}

// submit starts the script of each task with its arguments.
func (w *workspace) submit(run jobs.SubmitRun) (map[string]int64, error) {
	for _, task := range run.Tasks {
		for _, arg := range task.SparkPythonTask.Parameters {
			if err := check("python_params", map[string]string{"arg": arg}); err != nil {
				return nil, err
			}
			if strings.ContainsFunc(arg, func(r rune) bool { return r > '~' }) {
				return nil, fmt.Errorf("the argument %q is not ASCII", arg)
			}
		}
		w.script(task.SparkPythonTask.Parameters)
	}
	w.last++
	return map[string]int64{"run_id": w.last}, nil
}

// reference is a reference to a parameter of the job.
var reference = regexp.MustCompile(`\{\{job\.parameters\.([A-Za-z0-9_.-]+)\}\}`)

var validKey = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// check reports parameters that Databricks would refuse, or replace.
func check(field string, parameters map[string]string) error {
	text, err := json.Marshal(map[string]any{field: parameters})
	if err != nil {
		return err
	}
	if len(text) > 10_000 {
		return fmt.Errorf("%s has %d bytes", field, len(text))
	}
	for key, value := range parameters {
		if !validKey.MatchString(key) {
			return fmt.Errorf("the key %q", key)
		}
		if strings.Contains(value, "{{") {
			return fmt.Errorf("%s has a reference: %q", key, value)
		}
	}
	return nil
}
