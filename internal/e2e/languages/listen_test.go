// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package languages_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

// listener is doctor, which takes spans until it is interrupted.
type listener struct {
	cmd    *exec.Cmd
	stdout bytes.Buffer
	lines  []string // The variables that it says an SDK needs.
	stderr chan string
}

func startListener(t *testing.T) *listener {
	t.Helper()
	l := &listener{stderr: make(chan string, 1)}
	l.cmd = exec.CommandContext(t.Context(), command(t), "doctor", "--format", "json", "--listen", "127.0.0.1:0", "--for", patience.String())
	l.cmd.Stdout = &l.stdout
	stderr, err := l.cmd.StderrPipe()
	if err == nil {
		err = l.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(stderr)
	for len(l.lines) < 2 && said.Scan() {
		if line := strings.Fields(said.Text()); len(line) > 0 && strings.HasPrefix(line[0], "OTEL_") {
			l.lines = append(l.lines, line[0])
		}
	}
	go func() {
		var rest strings.Builder
		for said.Scan() {
			rest.WriteString(said.Text() + "\n")
		}
		l.stderr <- rest.String()
	}()
	return l
}

// with returns the variables of l with another protocol than the one it names first.
func (l *listener) with(protocol string) []string {
	endpoint, name, _ := strings.Cut(strings.Join(l.lines, " "), " ")
	name, _, _ = strings.Cut(name, "=")
	return []string{endpoint, name + "=" + protocol}
}

// end interrupts l and returns what it has found.
func (l *listener) end(t *testing.T) diagnosis {
	t.Helper()
	if err := l.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	said := <-l.stderr
	if err := l.cmd.Wait(); err != nil || said != "" {
		t.Fatalf("doctor: %v\n%s%s", err, said, &l.stdout)
	}
	var d diagnosis
	if err := json.Unmarshal(l.stdout.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// testListen sends a message through all languages. The SDK of each is pointed at
// doctor with the two lines that it prints, and sends over another protocol;
// metrics and logs too, as it does if nobody says otherwise.
func testListen(t *testing.T, k *server.KafkaServer) {
	t.Helper()
	l := startListener(t)
	_, endpoint, _ := strings.Cut(l.lines[0], "=")
	exporter, err := otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpointURL(endpoint))
	if err != nil {
		t.Fatal(err)
	}
	p := newGoPeer(exporter, k.Addr(), "go")
	if err := p.produce(t.Context(), "listen.python", 1); err != nil {
		t.Fatal(err)
	}
	p.close(t.Context(), t)
	env := func(service, protocol string) []string {
		return append(l.with(protocol), "OTEL_SERVICE_NAME="+service, "KAFKA_BROKER="+k.Addr())
	}
	peer(t, "python").run(t, env("python", "http/protobuf"), "consume", "confluent", "listen.python", "1", "listen.node")
	peer(t, "node").run(t, env("node", "http/json"), "each", "listen.node", "1", "listen.java")
	peer(t, "java").run(t, env("java", "grpc"), "consume", "listen.java", "1")
	d := l.end(t)
	if want := "LINKED: one flow of 10 spans, 4 services"; !strings.HasPrefix(d.Summary, want) {
		t.Errorf("the summary is %q, want %q", d.Summary, want)
	}
	for _, f := range d.Findings {
		t.Errorf("%s %s: %s %s", f.ID, f.Level, f.What, f.Why)
	}
}
