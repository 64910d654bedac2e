// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// valueInFile returns the value that kubelet finds for a variable in a file, as Kubernetes
// documents it: each line is NAME='value', the first one of a name wins, and no line has
// more than 64 KiB. internal/e2e/kubernetes has the parser of kubelet itself.
func valueInFile(t testing.TB, text []byte, name string) string {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		found, quoted, _ := strings.Cut(lines.Text(), "=")
		value, ok := strings.CutPrefix(quoted, "'")
		value, closed := strings.CutSuffix(value, "'")
		if !ok || !closed || strings.Contains(value, "'") {
			t.Fatalf("the line %q is not NAME='value'", lines.Text())
		}
		if found == name {
			return value
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return ""
}

// oneValue writes a traceparent and, after it, a value of its own.
type oneValue struct {
	propagation.TraceContext

	value string
}

func (p oneValue) Inject(ctx context.Context, c propagation.TextMapCarrier) {
	c.Set("before", p.value)
	p.TraceContext.Inject(ctx, c)
	c.Set("value", p.value)
}

func (oneValue) Fields() []string { return []string{"before", "traceparent", "tracestate", "value"} }

func TestWriteFile(t *testing.T) {
	t.Parallel()
	span := spanContext(t)
	line := "TRACEPARENT='" + traceparent + "'\n"
	for _, tt := range []struct {
		name string
		ctx  context.Context //nolint:containedctx // a row of a table.
		opts []propagation.Option
		want string
	}{
		{name: "a span", ctx: span, want: line},
		{name: "no span", ctx: t.Context()},
		{name: "no ctx"},
		{name: "tracestate", ctx: withTracestate(t, span, "a=$(x)`$y`\"#\\"), want: line + "TRACESTATE='a=$(x)`$y`\"#\\'\n"},
		{name: "a quote", ctx: withTracestate(t, span, "a=it's"), want: line},
		{name: "no baggage by default", ctx: withBaggage(t, span, "user=42"), want: line},
		{
			name: "baggage key by key", ctx: withBaggage(t, span, "user=42,tenant=7"), opts: []propagation.Option{propagation.WithBaggage("tenant")},
			want: line + "BAGGAGE='tenant=7'\n",
		},
		{
			name: "8 KiB at most", ctx: withBaggage(t, span, "user="+strings.Repeat("v", 8<<10-5)), opts: []propagation.Option{propagation.WithBaggage("user")},
			want: line,
		},
		{name: "a policy", ctx: span, opts: []propagation.Option{propagation.WithPolicy(propagation.KeepExisting)}, want: line},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), "context")
			if err := os.WriteFile(name, []byte("TRACEPARENT='old'\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			opts := envcarrier.WithPropagation(append([]propagation.Option{propagation.WithPropagator(w3c)}, tt.opts...)...)
			if err := envcarrier.WriteFile(tt.ctx, name, opts, nil); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("the file (-want +got):\n%s", diff)
			}
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if !envcarrier.HostIsWindows && info.Mode() != 0o644 {
				t.Errorf("its mode is %v, want that everyone may read it", info.Mode())
			}
			isAlone(t, name)
		})
	}
}

// isAlone fails t unless name, or nothing if it is a directory, is the only file where it is.
func isAlone(t *testing.T, name string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 || files[0].Name() != filepath.Base(name) {
		t.Errorf("beside %s there is something else: %v", name, files)
	}
}

func TestWriteFile_Errors(t *testing.T) {
	t.Parallel()
	directory := filepath.Join(t.TempDir(), "directory")
	if err := os.MkdirAll(filepath.Join(directory, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := envcarrier.WriteFile(spanContext(t), directory); err == nil {
		t.Error("a directory is no error")
	}
	isAlone(t, directory)
	missing := filepath.Join(directory, "missing", "context")
	if err := envcarrier.WriteFile(spanContext(t), missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), filepath.Dir(missing)) {
		t.Errorf("error %v, want that %s does not exist", err, filepath.Dir(missing))
	}
}

// A reader never sees a part of a file, whoever writes it.
func TestWriteFile_ConcurrentSafe(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "context")
	opts := envcarrier.WithPropagation(propagation.WithPropagator(w3c))
	write := func() {
		if err := envcarrier.WriteFile(spanContext(t), name, opts); err != nil {
			t.Error(err)
		}
	}
	write()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(write)
		wg.Go(func() {
			if text, err := os.ReadFile(name); err != nil || string(text) != "TRACEPARENT='"+traceparent+"'\n" {
				t.Errorf("the file holds %q, error %v", text, err)
			}
		})
	}
	wg.Wait()
	isAlone(t, name)
}

// A value arrives unchanged or not at all, and none keeps another from arriving.
func FuzzWriteFile(f *testing.F) {
	for _, seed := range []string{"", "a=1", "it's", "a\nB='1'", "\r\n", "a\r", "#", " ", "\\", "\x00", "\xff", "é", "$(HOME)", "' #"} {
		f.Add(seed, 1)
	}
	f.Add("v", 64<<10-len("BEFORE=''\n"))
	f.Add("v", 64<<10-len("BEFORE=''\n")+1)
	f.Add("v", 64<<10-len("VALUE=''\n"))
	name := filepath.Join(f.TempDir(), "context")
	f.Fuzz(func(t *testing.T, part string, count int) {
		value := strings.Repeat(part, min(max(count, 0), 70_000/max(len(part), 1)))
		opts := envcarrier.WithPropagation(propagation.WithPropagator(oneValue{value: value}), propagation.WithMaxBytes(0))
		if err := envcarrier.WriteFile(spanContext(t), name, opts); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := valueInFile(t, text, "TRACEPARENT"); got != traceparent {
			t.Errorf("the traceparent is %q", got)
		}
		for _, variable := range []string{"BEFORE", "VALUE"} {
			want := value
			if strings.ContainsAny(value, "'\n\x00") || !utf8.ValidString(value) || len(variable+"=''\n"+value) > 64<<10 {
				want = ""
			}
			if got := valueInFile(t, text, variable); got != want {
				t.Errorf("%s is %.40q, want %.40q", variable, got, want)
			}
		}
	})
}
