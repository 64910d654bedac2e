// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// reportTo writes a report and returns what it has said.
func reportTo(t *testing.T, file string) {
	t.Helper()
	var stdout, stderr strings.Builder
	if code := run(t.Context(), []string{"report", "-o", file}, strings.NewReader(whole), &stdout, &stderr); code != exitFine {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
}

func TestReport_ToPipe(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	begin := make(chan string, 1)
	go func() {
		head := make([]byte, len("<!doctype html>"))
		_, _ = io.ReadFull(f, head)
		begin <- string(head)
		_, _ = io.Copy(io.Discard, f)
	}()
	reportTo(t, pipe)
	if info, err := os.Lstat(pipe); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Fatalf("the pipe was replaced: %v, %v", info, err)
	}
	if got := <-begin; !strings.EqualFold(got, "<!doctype html>") {
		t.Errorf("the pipe got %q, want the page", got)
	}
}

func TestReport_ToLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "flow.html"), filepath.Join(dir, "latest.html")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	reportTo(t, link)
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info, err)
	}
	if info, err := os.Stat(file); err != nil || info.Size() == 0 || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has the mode %v, want %v and the page: %v", info.Mode(), os.FileMode(0o600), err)
	}
}
