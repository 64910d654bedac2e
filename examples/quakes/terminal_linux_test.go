// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sys/unix"

	"github.com/waybill-go/waybill/examples/internal/program"
	"github.com/waybill-go/waybill/internal/flow"
)

// openTerminal returns both ends of a pseudo-terminal with so many columns: what
// a program prints to, and what a screen reads.
func openTerminal(t *testing.T, columns uint16) (tty, screen *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	fd := int(screen.Fd())
	if err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: columns}); err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return tty, screen
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]|\r")

func TestDemo_FitsATerminalOf80Columns(t *testing.T) {
	t.Parallel()
	tty, screen := openTerminal(t, 80)
	out := t.TempDir()
	cmd := exec.Command(program.Build(t), inGo, "--out", out)
	cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=", "COLUMNS=")
	cmd.Stdout, cmd.Stderr = tty, tty
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = tty.Close() // The screen ends with the last process that has the terminal.
	var printed strings.Builder
	for lines := bufio.NewScanner(screen); lines.Scan(); {
		printed.WriteString(lines.Text() + "\n")
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("it ends with %v:\n%s", err, printed.String())
	}
	text := escapes.ReplaceAllString(printed.String(), "")
	t.Log("\n" + text)
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 && !strings.Contains(line, out) {
			t.Errorf("a line has %d columns: %s", n, line)
		}
	}
	for _, want := range []string{"\x1b[32m✓\x1b[0m ingest ", "\x1b[36mclean\x1b[0m ", "\x1b[36m⇢\x1b[0m clean load"} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("nothing printed has %q", want)
		}
	}
}

func TestNewConsole(t *testing.T) {
	for name, tt := range map[string]struct {
		columns           uint16 // Of the terminal; 0 for a file.
		env               map[string]string
		width             int
		live, color, wrap bool
		painted           string
	}{
		"a terminal":                    {columns: 120, width: 120, live: true, color: true, wrap: true, painted: "\x1b[31mtext\x1b[0m"},
		"a terminal without color":      {columns: 60, env: map[string]string{"NO_COLOR": "1"}, width: 60, live: true, wrap: true, painted: "text"},
		"a dumb terminal":               {columns: 80, env: map[string]string{"TERM": "dumb"}, width: 80, wrap: true, painted: "text"},
		"a terminal that has no size":   {columns: 0, env: map[string]string{"size": "none"}, width: 80, live: true, color: true, painted: "\x1b[31mtext\x1b[0m"},
		"a file":                        {width: 80, painted: "text"},
		"a file with COLUMNS":           {env: map[string]string{"COLUMNS": "100"}, width: 100, wrap: true, painted: "text"},
		"a file with COLUMNS of a joke": {env: map[string]string{"COLUMNS": "-3"}, width: 80, painted: "text"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, key := range []string{"NO_COLOR", "COLUMNS", "TERM"} {
				t.Setenv(key, tt.env[key])
			}
			file, err := os.Create(t.TempDir() + "/file")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = file.Close() })
			if tt.columns > 0 || tt.env["size"] == "none" {
				file, _ = openTerminal(t, tt.columns)
			}
			c := newConsole(file, func() {})
			if c.width != tt.width || c.live != tt.live || c.color != tt.color || c.wrap != tt.wrap {
				t.Errorf("newConsole() = %+v, want %+v", c, tt)
			}
			if got := c.paint(red, "text"); got != tt.painted {
				t.Errorf("paint() = %q, want %q", got, tt.painted)
			}
		})
	}
}

// In a file, no finding is cut.
func TestConsole_Tree(t *testing.T) {
	t.Parallel()
	graph := flow.New([]flow.Span{{
		ID: flow.ID{Trace: trace.TraceID{1}, Span: trace.SpanID{1}}, Service: "clean", Name: "process quakes.raw", Kind: trace.SpanKindConsumer,
		Attributes: []attribute.KeyValue{attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", "quakes.raw")},
	}})
	r := recorded{graph: graph, diagnosis: graph.Diagnose(flow.Expectation{})}
	const whole = "✗ P01 a consumer starts a new trace"
	for name, tt := range map[string]struct {
		console console
		isWhole bool
	}{
		"a file":            {console: console{width: 40}, isWhole: true},
		"a narrow terminal": {console: console{width: 40, wrap: true}},
		"a wide terminal":   {console: console{width: 200, wrap: true}, isWhole: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.console.tree(r); strings.Contains(got, whole) != tt.isWhole {
				t.Errorf("tree() = %q, want it to contain %q: %t", got, whole, tt.isWhole)
			}
		})
	}
}

func TestScreen_PlainLinesHaveNoEscapes(t *testing.T) {
	t.Parallel()
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	s := newScreen(&console{file: file, width: 80}, "ingest")
	s.set("ingest", line{text: "1 event"})
	s.set("ingest", line{text: "2 events", done: true})
	s.set("ingest", line{text: "3 events"})
	got, err := os.ReadFile(file.Name())
	if want := "  ingest    2 events\n"; err != nil || string(got) != want {
		t.Errorf("it printed %q, %v; want %q", got, err, want)
	}
}
