// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// Databricks implements the part of the Jobs API 2.2 that shows a job, starts a run,
// and returns the state of a run. All jobs are the same, and a run is a process whose
// arguments are the parameters of the run, as for a task with named arguments.
type Databricks struct {
	launch  Launch
	command []string

	mu   sync.Mutex
	runs []runState // Run n is at n-1.
}

type runState struct {
	LifeCycle string `json:"life_cycle_state"`
	Result    string `json:"result_state,omitempty"`
	Message   string `json:"state_message"`
}

// StartDatabricks starts the server. Each run is a process that launch starts with
// command and the parameters.
func StartDatabricks(launch Launch, command ...string) (url string, stop func(), err error) {
	d := &Databricks{launch: launch, command: command}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/2.2/jobs/get", func(w http.ResponseWriter, r *http.Request) {
		id, _ := strconv.Atoi(r.URL.Query().Get("job_id"))
		answer(w, http.StatusOK, map[string]int{"job_id": id})
	})
	mux.HandleFunc("POST /api/2.2/jobs/run-now", d.runNow)
	mux.HandleFunc("GET /api/2.2/jobs/runs/get", d.get)
	// The client reads the kind of its host.
	mux.HandleFunc("GET /.well-known/databricks-config", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, map[string]string{"host_type": "WORKSPACE_HOST", "oidc_endpoint": "http://" + r.Host + "/oidc"})
	})
	return serve(mux)
}

func (d *Databricks) runNow(w http.ResponseWriter, r *http.Request) {
	var request struct {
		JobParameters map[string]string `json:"job_parameters"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error_code": "INVALID_PARAMETER_VALUE", "message": err.Error()})
		return
	}
	args := slices.Clone(d.command)
	for _, key := range slices.Sorted(maps.Keys(request.JobParameters)) {
		args = append(args, "--"+key+"="+request.JobParameters[key])
	}

	d.mu.Lock()
	d.runs = append(d.runs, runState{LifeCycle: "RUNNING"})
	id := len(d.runs)
	d.mu.Unlock()

	wait, err := d.launch("run-"+strconv.Itoa(id), args, nil)
	if err != nil {
		d.end(id, err)
	} else {
		go func() { d.end(id, wait()) }()
	}
	answer(w, http.StatusOK, map[string]int{"run_id": id, "number_in_job": id})
}

// end records the result of a run.
func (d *Databricks) end(id int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.runs[id-1] = runState{LifeCycle: "TERMINATED", Result: "SUCCESS"}
	if err != nil {
		d.runs[id-1] = runState{LifeCycle: "INTERNAL_ERROR", Result: "FAILED", Message: err.Error()}
	}
}

func (d *Databricks) get(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.URL.Query().Get("run_id"))
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil || id < 1 || id > len(d.runs) {
		answer(w, http.StatusNotFound, map[string]string{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"})
		return
	}
	answer(w, http.StatusOK, map[string]any{"run_id": id, "state": d.runs[id-1]})
}
