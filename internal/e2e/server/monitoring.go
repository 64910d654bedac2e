// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// HTTPServer is a server with an HTTP interface for one test.
type HTTPServer struct {
	*lifecycle
	addr string
}

// Addr returns the address of the server, as host:port.
func (s *HTTPServer) Addr() string { return s.addr }

// URL returns the URL of the server, without a slash at its end.
func (s *HTTPServer) URL() string { return "http://" + s.addr }

// Log returns the end of what the server has printed.
func (s *HTTPServer) Log() string {
	if p, ok := s.engine.(*process); ok {
		return string(p.logTail())
	}
	return ""
}

// Prometheus starts Prometheus with the configuration file config. The names in
// it are relative to its folder. The flags are added to the ones that the server
// needs.
func Prometheus(t testing.TB, config string, flags ...string) *HTTPServer {
	t.Helper()
	return startMonitor(t, "prometheus", func(addr, dir string) []string {
		return append([]string{
			"--config.file=" + config,
			"--storage.tsdb.path=" + filepath.Join(dir, "data"),
			"--web.listen-address=" + addr,
			"--web.enable-lifecycle",
			"--log.level=warn",
		}, flags...)
	})
}

// Alertmanager starts Alertmanager with the configuration file config.
func Alertmanager(t testing.TB, config string) *HTTPServer {
	t.Helper()
	return startMonitor(t, "alertmanager", func(addr, dir string) []string {
		return []string{
			"--config.file=" + config,
			"--storage.path=" + filepath.Join(dir, "data"),
			"--web.listen-address=" + addr,
			"--cluster.listen-address=", // One server needs no gossip.
			"--log.level=warn",
		}
	})
}

// Pushgateway starts a Pushgateway that forgets everything when it stops.
func Pushgateway(t testing.TB) *HTTPServer {
	t.Helper()
	return startMonitor(t, "pushgateway", func(addr, _ string) []string {
		return []string{"--web.listen-address=" + addr, "--log.level=warn"}
	})
}

// Promtool runs promtool in the folder dir and returns what it prints. If input
// is not empty, promtool reads it. The error is not nil if promtool fails.
func Promtool(t testing.TB, dir, input string, args ...string) (output string, err error) {
	t.Helper()
	cmd := exec.Command(Tool(t, "promtool"), args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func startMonitor(t testing.TB, name string, args func(addr, dir string) []string) *HTTPServer {
	t.Helper()
	program, addr, dir := Tool(t, name), FreeAddr(t), t.TempDir()
	return startHTTP(t, addr, readyPath, &process{command: append([]string{program}, args(addr, dir)...), dir: dir})
}

// Program starts a program as a server. It must listen on addr, and answer
// /-/ready when it is ready. The variables env are added to its environment.
func Program(t testing.TB, addr string, env []string, command ...string) *HTTPServer {
	t.Helper()
	return ProgramReady(t, addr, readyPath, env, command...)
}

// ProgramReady is [Program] for a program that answers path when it is ready.
func ProgramReady(t testing.TB, addr, path string, env []string, command ...string) *HTTPServer {
	t.Helper()
	return startHTTP(t, addr, path, &process{command: command, env: env, dir: t.TempDir()})
}

// readyPath is what a server of Prometheus answers with 200 when it is ready.
const readyPath = "/-/ready"

func startHTTP(t testing.TB, addr, path string, p *process) *HTTPServer {
	t.Helper()
	s := &HTTPServer{addr: addr}
	p.ready = httpReady(s.URL() + path)
	s.lifecycle = begin(t, p)
	return s
}

// FreeAddr returns an address of the loopback interface that nobody uses.
func FreeAddr(t testing.TB) string {
	t.Helper()
	addrs, err := freeAddrs(1)
	if err != nil {
		t.Fatal(err)
	}
	return addrs[0]
}

// Tool returns the path of a program that deps.sh builds: prometheus, promtool,
// alertmanager or pushgateway.
func Tool(t testing.TB, name string) string {
	t.Helper()
	program := filepath.Join(cacheDir(t), "monitoring", name)
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%s is missing: run `make e2e-deps`", name)
	}
	return program
}

// httpReady returns a function that reports whether url is answered with 200.
func httpReady(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		if err := resp.Body.Close(); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s is answered with %s", url, resp.Status)
		}
		return nil
	}
}
