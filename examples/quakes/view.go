// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/waybill-go/waybill/examples/internal/local"
)

// defaultView is the address at which waybill view takes spans.
const defaultView = "127.0.0.1:4318"

// viewAddress is the value of --view, which may be given without one.
type viewAddress string

// String implements [flag.Value].
func (a *viewAddress) String() string { return string(*a) }

// IsBoolFlag lets the flag stand alone.
func (a *viewAddress) IsBoolFlag() bool { return true }

// Set implements [flag.Value].
func (a *viewAddress) Set(value string) error {
	if value == "true" {
		value = defaultView
	}
	*a = viewAddress(value)
	return nil
}

// view is waybill view, which shows the flow while it grows.
type view struct {
	page     string // Its address; empty if it was running before.
	endpoint string // Where it takes spans.

	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{}
}

// startView starts waybill view, unless it listens already, and forwards all spans to it.
func (d *demo) startView(ctx context.Context) (stop func(), err error) {
	if d.view == "" {
		return func() {}, nil
	}
	endpoint := "http://" + string(d.view)
	if local.SendTraces(endpoint, nil) == nil {
		d.printf("waybill view, or what else takes OTLP at %s, gets the spans.\n", endpoint)
		d.shown, d.otlp = &view{endpoint: endpoint}, endpoint
		return func() {}, nil
	}
	program, remove, err := d.findWaybill(ctx)
	if err != nil {
		return nil, err
	}
	d.shown, err = runView(program, string(d.view), d.otlp)
	if err != nil {
		remove()
		return nil, fmt.Errorf("waybill view does not start: %w", err)
	}
	d.otlp = d.shown.endpoint
	d.tell(envDelay, "500") // So that the page grows visibly.
	d.printf("The flow, live: %s\n\n", d.paint(bold, d.shown.page))
	return func() { d.shown.stop(); remove() }, nil
}

// findWaybill returns a file with the command waybill: of the repository that the demo
// is run in, or else the one that is installed.
func (d *demo) findWaybill(ctx context.Context) (program string, remove func(), err error) {
	if root, missing := repository(); missing == nil {
		d.printf("Compiling waybill takes a minute the first time.\n")
		return compile(ctx, filepath.Join(root, "cmd", "waybill"))
	}
	if program, err = exec.LookPath("waybill"); err != nil {
		return "", nil, errors.New("there is no waybill to view the flow with: run the demo in its repository, or install it (go install github.com/waybill-go/waybill/cmd/waybill@latest)")
	}
	return program, func() {}, nil
}

// compile compiles the command in the directory source.
func compile(ctx context.Context, source string) (program string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "quakes-waybill-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) } // Nothing depends on it.
	program = filepath.Join(dir, "waybill")
	out, err := exec.CommandContext(ctx, "go", "-C", source, "build", "-o", program, ".").CombinedOutput()
	if err != nil {
		remove()
		return "", nil, cmp.Or(context.Cause(ctx), fmt.Errorf("compile waybill: %w\n%s", err, out))
	}
	return program, remove, nil
}

// runView starts waybill view, which also passes all spans on to forward, if that is set.
func runView(program, listen, forward string) (*view, error) {
	args := []string{"view", "--listen", listen}
	if forward != "" {
		args = append(args, "--forward", forward)
	}
	v := &view{cmd: exec.Command(program, args...), ended: make(chan struct{})}
	v.cmd.Stderr = &v.stderr
	v.cmd.SysProcAttr = ownGroup() // Ctrl-C ends it after the demo.
	stdout, err := v.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err = v.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(stdout)
	for v.endpoint == "" && lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if page, ok := strings.CutPrefix(line, "waybill view is at "); ok {
			v.page = page
		}
		if endpoint, ok := strings.CutPrefix(line, "OTEL_EXPORTER_OTLP_ENDPOINT="); ok {
			v.endpoint = endpoint
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, stdout)
		_ = v.cmd.Wait() // Nobody asks how it ended.
		close(v.ended)
	}()
	if v.endpoint == "" {
		v.stop()
		return nil, errors.New(strings.TrimSpace(v.stderr.String()))
	}
	return v, nil
}

// stop ends the process.
func (v *view) stop() {
	select {
	case <-v.ended:
	default:
		signalGroup(v.cmd.Process, syscall.SIGTERM)
		<-v.ended
	}
}

// gone is closed when the process ends by itself.
func (v *view) gone() <-chan struct{} {
	if v == nil {
		return nil
	}
	return v.ended
}
