// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build airflow

package airflow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

// airflow is an Airflow with a database of its own that runs the DAGs of this folder.
type airflow struct {
	api   *server.HTTPServer
	token string
}

// startAirflow starts the Airflow of an environment that deps.sh makes: the API, the
// scheduler, and a process for each task. The variables env are added to the
// environment of all.
func startAirflow(t *testing.T, name string, env []string) *airflow {
	t.Helper()
	addr := server.FreeAddr(t)
	host, port, _ := strings.Cut(addr, ":")
	env = slices.Concat(env, []string{
		pythonPath(t),
		"AIRFLOW_HOME=" + t.TempDir(),
		"AIRFLOW__CORE__DAGS_FOLDER=" + absolute(t, "dags"),
		"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION=False",
		"AIRFLOW__CORE__EXECUTOR=LocalExecutor",
		"AIRFLOW__CORE__LOAD_EXAMPLES=False",
		"AIRFLOW__CORE__PARALLELISM=2",
		"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS=True",
		"AIRFLOW__CORE__EXECUTION_API_SERVER_URL=http://" + addr + "/execution/",
		"AIRFLOW__API_AUTH__JWT_SECRET=" + strings.Repeat("secret", 11),
		"AIRFLOW__API__BASE_URL=http://" + addr,
		"AIRFLOW__API__SECRET_KEY=secret",
		"AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT=60", // Seconds, on a machine that does more.
		"AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False",
	})
	command := []string{python(t, name), "-m", "airflow"}
	run(t, env, slices.Concat(command, []string{"db", "migrate"})...)
	run(t, env, slices.Concat(command, []string{"dag-processor", "--num-runs", "1"})...)

	start := func(args ...string) *server.HTTPServer {
		s := server.ProgramReady(t, addr, "/api/v2/monitor/health", env, slices.Concat(command, args)...)
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the log of %s ends with:\n%s", args[0], s.Log())
			}
		})
		return s
	}
	a := &airflow{api: start("api-server", "--host", host, "--port", port, "--workers", "1")}
	status, body := a.call(t, http.MethodGet, "/auth/token", nil)
	a.token, _ = body["access_token"].(string)
	if a.token == "" {
		t.Fatalf("the request of a token is answered with %d: %v", status, body)
	}
	start("scheduler") // It is ready when it runs the first task.
	return a
}

// call sends a request to the API, and returns the status and the body of the answer.
func (a *airflow) call(t *testing.T, method, path string, body any) (status int, answer map[string]any) {
	t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, a.api.URL()+path, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") // No run follows it.
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read.
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s %s is answered with %s: %q", method, path, resp.Status, text)
	}
	return resp.StatusCode, answer
}

// dagRun is a run of a DAG.
type dagRun struct {
	*airflow
	path string
}

// runsOf returns the path of the runs of a DAG.
func runsOf(dag string) string { return "/api/v2/dags/" + dag + "/dagRuns" }

// trigger starts a run of a DAG with a conf, which may be nil.
func (a *airflow) trigger(t *testing.T, dag, id string, conf map[string]any) dagRun {
	t.Helper()
	status, body := a.call(t, http.MethodPost, runsOf(dag), map[string]any{"dag_run_id": id, "logical_date": nil, "conf": conf})
	if status != http.StatusOK {
		t.Fatalf("the request to run %s is answered with %d: %v", id, status, body)
	}
	return dagRun{a, runsOf(dag) + "/" + id}
}

// again clears the tasks of a run that has ended, which run once more.
func (r dagRun) again(t *testing.T) {
	t.Helper()
	status, body := r.call(t, http.MethodPost, r.path+"/clear", map[string]any{"dry_run": false})
	if status != http.StatusOK || body["state"] != "queued" {
		t.Fatalf("the request to clear %s is answered with %d: %v", r.path, status, body)
	}
	r.await(t)
}

// await waits until a run has ended with success.
func (r dagRun) await(t *testing.T) {
	t.Helper()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for late := time.After(patience); ; {
		_, body := r.call(t, http.MethodGet, r.path, nil)
		switch body["state"] {
		case "success":
			return
		case "failed":
			t.Fatalf("run %s failed: %v", r.path, r.failures(t))
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("run %s has not ended: %v", r.path, body)
		}
	}
}

// failures returns the logs of the tasks of a run that failed, by their names.
func (r dagRun) failures(t *testing.T) map[string]any {
	t.Helper()
	logs := map[string]any{}
	_, body := r.call(t, http.MethodGet, r.path+"/taskInstances?state=failed", nil)
	tasks, _ := body["task_instances"].([]any)
	for _, task := range tasks {
		task, _ := task.(map[string]any)
		path := fmt.Sprintf("%s/taskInstances/%v/logs/%v?map_index=%v", r.path, task["task_id"], task["try_number"], task["map_index"])
		_, logs[path] = r.call(t, http.MethodGet, path, nil)
	}
	return logs
}

// returned decodes what a task of a run returned into value.
func (r dagRun) returned(t *testing.T, task string, value any) {
	t.Helper()
	status, body := r.call(t, http.MethodGet, r.path+"/taskInstances/"+task+"/xcomEntries/return_value", nil)
	content, err := json.Marshal(body["value"])
	if err == nil {
		err = json.Unmarshal(content, value)
	}
	if err != nil || status != http.StatusOK {
		t.Fatalf("the result of %s in run %s is answered with %d: %v, error %v", task, r.path, status, body, err)
	}
}

// patience is how long a command or a run may take, on a machine that does more.
const patience = 5 * time.Minute

// run runs a command to its end.
func run(t *testing.T, env []string, command ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(cmd.Environ(), env...)
	cmd.WaitDelay = time.Second // A child may hold its output.
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command[1:], " "), err, out)
	}
}
