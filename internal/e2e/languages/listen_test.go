// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package languages_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

// listener is the command while it takes spans, until it is interrupted.
type listener struct {
	cmd      *exec.Cmd
	endpoint string // What it says that an SDK needs,
	protocol string // both as NAME=value.
	page     string // The address of the page, if it has one.
	rest     chan string
	other    bytes.Buffer // The stream on which it does not say so.
}

// listen starts the command. Doctor says on standard error what an SDK needs, and
// view on standard output.
func listen(t *testing.T, args ...string) *listener {
	t.Helper()
	l := &listener{cmd: exec.CommandContext(t.Context(), command(t), append(args, "--listen", "127.0.0.1:0")...), rest: make(chan string, 1)}
	var stream io.Reader
	var err error
	if args[0] == "view" {
		l.cmd.Stderr = &l.other
		stream, err = l.cmd.StdoutPipe()
	} else {
		l.cmd.Stdout = &l.other
		stream, err = l.cmd.StderrPipe()
	}
	if err == nil {
		err = l.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(stream)
	for (l.endpoint == "" || l.protocol == "") && said.Scan() {
		l.note(said.Text())
	}
	go func() {
		var rest strings.Builder
		for said.Scan() {
			rest.WriteString(said.Text() + "\n")
		}
		l.rest <- rest.String()
	}()
	return l
}

// note keeps what a line says.
func (l *listener) note(line string) {
	if _, page, ok := strings.Cut(line, "view is at "); ok {
		l.page = page
	}
	variable, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch {
	case strings.HasPrefix(variable, "OTEL_EXPORTER_OTLP_ENDPOINT="):
		l.endpoint = variable
	case strings.HasPrefix(variable, "OTEL_EXPORTER_OTLP_PROTOCOL="):
		l.protocol = variable
	}
}

// url returns the endpoint of l.
func (l *listener) url() string {
	_, url, _ := strings.Cut(l.endpoint, "=")
	return url
}

// env returns the two lines that l says an SDK needs, with another protocol if that
// is not empty.
func (l *listener) env(protocol string) []string {
	if protocol == "" {
		return []string{l.endpoint, l.protocol}
	}
	name, _, _ := strings.Cut(l.protocol, "=")
	return []string{l.endpoint, name + "=" + protocol}
}

// end interrupts l, which ends with success, and returns what it has written on its
// other stream.
func (l *listener) end(t *testing.T) []byte {
	t.Helper()
	if err := l.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest := <-l.rest
	if err := l.cmd.Wait(); err != nil {
		t.Fatalf("%s: %v\n%s%s", l.cmd, err, rest, &l.other)
	}
	return l.other.Bytes()
}

// testListen sends a message through all languages. The SDK of each is pointed at
// view with the two lines that it prints, and sends over another protocol; metrics
// and logs too, as it does if nobody says otherwise. View passes all on to doctor.
func testListen(t *testing.T, k *server.KafkaServer) {
	t.Helper()
	const want = "LINKED: one flow of 10 spans, 4 services"
	end := listen(t, "doctor", "--format", "json", "--for", patience.String())
	view := listen(t, "view", "--no-open", "--forward", end.url())

	exporter, err := otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpointURL(view.url()))
	if err != nil {
		t.Fatal(err)
	}
	p := newGoPeer(exporter, k.Addr(), "go")
	if err := p.produce(t.Context(), "listen.python", 1); err != nil {
		t.Fatal(err)
	}
	p.close(t.Context(), t)
	env := func(service, protocol string) []string {
		return append(view.env(protocol), "OTEL_SERVICE_NAME="+service, "KAFKA_BROKER="+k.Addr())
	}
	peer(t, "python").run(t, env("python", ""), "consume", "confluent", "listen.python", "1", "listen.node")
	peer(t, "node").run(t, env("node", "http/json"), "each", "listen.node", "1", "listen.java")
	peer(t, "java").run(t, env("java", "grpc"), "consume", "listen.java", "1")

	page := get(t, view.page)
	if !bytes.Contains(page, []byte(view.endpoint)) {
		t.Errorf("the page does not show %s:\n%s", view.endpoint, page)
	}
	requireLive(t, view.page)
	saved := filepath.Join(t.TempDir(), "saved.jsonl")
	if err := os.WriteFile(saved, get(t, view.page+"save"), 0o600); err != nil {
		t.Fatal(err)
	}
	requireDiagnosis(t, "what view saves", doctor(t, saved), want)
	if said := view.end(t); len(said) > 0 {
		t.Errorf("view says %s", said)
	}
	var forwarded diagnosis
	if err := json.Unmarshal(end.end(t), &forwarded); err != nil {
		t.Fatal(err)
	}
	requireDiagnosis(t, "what view passes on", forwarded, want)
}

// requireLive checks that the page lists one flow of 10 spans, in which nothing is
// wrong, as soon as it is up to date.
func requireLive(t *testing.T, page string) {
	t.Helper()
	resp, err := http.Get(page + "events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it never ends by itself.
	events := bufio.NewReader(resp.Body)
	for {
		line, err := events.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		var event struct {
			List struct {
				Flows, Spans int
				Rows         []struct {
					Services []string
					Finding  string
				}
			}
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok || json.Unmarshal([]byte(data), &event) != nil || event.List.Spans != 10 {
			continue
		}
		if list := event.List; list.Flows != 1 || len(list.Rows[0].Services) != 4 || list.Rows[0].Finding != "" {
			t.Errorf("the page lists %+v, want one flow of 4 services", list)
		}
		return
	}
}

// requireDiagnosis checks that nothing was found, and what the summary begins with.
func requireDiagnosis(t *testing.T, what string, d diagnosis, want string) {
	t.Helper()
	if !strings.HasPrefix(d.Summary, want) {
		t.Errorf("%s: the summary is %q, want %q", what, d.Summary, want)
	}
	for _, f := range d.Findings {
		t.Errorf("%s: %s %s: %s %s", what, f.ID, f.Level, f.What, f.Why)
	}
}

// get returns the content of url.
func get(t *testing.T, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read only.
	content, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return content
}
