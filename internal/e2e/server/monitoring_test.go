// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package server_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

func TestPrometheus_StopsAndStarts(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "prometheus.yml")
	put(t, config, "global: {scrape_interval: 1s}\n")
	requireRestart(t, server.Prometheus(t, config))
}

func TestAlertmanager_StopsAndStarts(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "alertmanager.yml")
	put(t, config, "route: {receiver: none}\nreceivers: [{name: none}]\n")
	requireRestart(t, server.Alertmanager(t, config))
}

func TestPushgateway_StopsAndStarts(t *testing.T) {
	t.Parallel()
	requireRestart(t, server.Pushgateway(t))
}

func TestPromtool_ReportsFailure(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		input string
		want  string
	}{
		"a good metric": {input: "# HELP rows_total Rows.\n# TYPE rows_total counter\nrows_total 1\n"},
		"a bad metric":  {input: "# HELP rows Rows.\n# TYPE rows counter\nrows 1\n", want: "_total"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output, err := server.Promtool(t, "", tt.input, "check", "metrics")
			if (err != nil) != (tt.want != "") || !strings.Contains(output, tt.want) {
				t.Errorf("promtool returned %v and printed %q, want %q in it", err, output, tt.want)
			}
		})
	}
}

func TestPrometheus_FailsWithItsLog(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "prometheus.yml")
	put(t, config, "no_such_key: 1\n")
	said := fatal(t, func(tb testing.TB) { tb.Helper(); server.Prometheus(tb, config) })
	if !strings.Contains(said, "no_such_key") {
		t.Errorf("it says %q, want the reason from the log", said)
	}
}

func TestProgram_KillLeavesNoTimeToStop(t *testing.T) {
	t.Parallel()
	// The Pushgateway stores what it has when it is stopped, and not when it is killed.
	store := filepath.Join(t.TempDir(), "store")
	gateway := filepath.Join(t.TempDir(), "gateway.sh")
	addr := server.FreeAddr(t)
	put(t, gateway, `exec "$PROGRAM" --web.listen-address="$1" --persistence.file="$2" --persistence.interval=1h`)
	s := server.Program(t, addr, []string{"PROGRAM=" + server.Tool(t, "pushgateway")}, "sh", gateway, addr, store)
	s.Kill()
	requireRefused(t, s.Addr())
	if _, err := os.Stat(store); err == nil {
		t.Error("the program had the time to store")
	}
	s.Start()
	s.Stop()
	if _, err := os.Stat(store); err != nil {
		t.Errorf("the program had no time to store: %v", err)
	}
}

// requireRestart stops and starts s, which answers requests before and after.
func requireRestart(t *testing.T, s *server.HTTPServer) {
	t.Helper()
	for range 2 {
		resp, err := http.Get(s.URL() + "/-/healthy")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s answers %s", s.URL(), resp.Status)
		}
		s.Stop()
		requireRefused(t, s.Addr())
		s.Start()
	}
}

func TestPromtool_MissingIsFatal(t *testing.T) {
	root := t.TempDir()
	put(t, filepath.Join(root, "internal", "e2e", "deps.sh"), "")
	t.Chdir(filepath.Join(root, "internal", "e2e"))
	said := fatal(t, func(tb testing.TB) { tb.Helper(); _, _ = server.Promtool(tb, "", "", "--version") })
	if want := "promtool is missing: run `make e2e-deps`"; said != want {
		t.Errorf("it says %q, want %q", said, want)
	}
}
