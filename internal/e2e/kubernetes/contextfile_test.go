// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package kubernetes

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/internal/e2e/server"
	"github.com/waybill-go/waybill/propagation"
)

// between writes a value before and after a traceparent.
type between string

func (b between) Inject(_ context.Context, c propagation.TextMapCarrier) {
	c.Set("start", string(b))
	c.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	c.Set("final", string(b))
}

func (between) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context { return ctx }

func (between) Fields() []string { return []string{"start", "traceparent", "final"} }

// The parser of kubelet finds each value that a file holds, and no value hides another.
func TestWriteFile_IsReadByKubelet(t *testing.T) {
	t.Parallel()
	longest := 64<<10 - len("START=''\n")
	for _, tt := range []struct {
		name, value string
		isLeftOut   bool
	}{
		{name: "opaque", value: " \t\"$(HOME) `$x` \\ # = %27 é"},
		{name: "one that ends a line for some", value: "a\r"},
		{name: "a comment", value: "#"},
		{name: "the longest", value: strings.Repeat("v", longest)},
		{name: "one too long", value: strings.Repeat("v", longest+1), isLeftOut: true},
		{name: "a quote", value: "it's", isLeftOut: true},
		{name: "a line", value: "a'\nTRACEPARENT='b", isLeftOut: true},
		{name: "a NUL", value: "a\x00b", isLeftOut: true},
		{name: "no UTF-8", value: "\xff", isLeftOut: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, _ := inSpan(t)
			file := filepath.Join(t.TempDir(), "context")
			opts := envcarrier.WithPropagation(propagation.WithPropagator(between(tt.value)), propagation.WithMaxBytes(0))
			if err := envcarrier.WriteFile(ctx, file, opts); err != nil {
				t.Fatal(err)
			}
			want := tt.value
			if tt.isLeftOut {
				want = ""
			}
			for _, name := range []string{"START", "FINAL"} {
				if got := server.Variable(t, file, name); got != want {
					t.Errorf("for %s kubelet finds %.40q, want %.40q", name, got, want)
				}
			}
			if got := server.Variable(t, file, "TRACEPARENT"); len(got) != traceparentLen {
				t.Errorf("the traceparent is %q", got)
			}
		})
	}
}

// A shell writes the file as docs/jobs.md tells.
func TestWriteFile_OfAShell(t *testing.T) {
	t.Parallel()
	const command = `printf "TRACEPARENT='%s'\n" "$TRACEPARENT" >`
	page, err := os.ReadFile("../../../docs/jobs.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), command+"/handover/context`") {
		t.Errorf("the page does not hold %s", command)
	}
	ctx, _ := inSpan(t)
	shell := exec.CommandContext(t.Context(), "sh", "-c", command+"context")
	shell.Dir, shell.Env = t.TempDir(), envcarrier.Inject(ctx, nil)
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got, want := "TRACEPARENT="+server.Variable(t, filepath.Join(shell.Dir, "context"), "TRACEPARENT"), shell.Env[0]; got != want {
		t.Errorf("kubelet finds %s, want %s", got, want)
	}
}
