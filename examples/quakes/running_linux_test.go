// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// running returns the command lines of the running processes of the program in
// file, by their process ids. It reads /proc, because small systems have no ps.
func running(t *testing.T, file string) map[int]string {
	t.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]string{}
	for _, entry := range entries {
		text, _ := os.ReadFile(entry) // It has ended if this fails; that of a zombie is empty.
		line := string(bytes.TrimSpace(bytes.ReplaceAll(text, []byte{0}, []byte(" "))))
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(entry))); err == nil && strings.HasPrefix(line, file) {
			found[pid] = line
		}
	}
	return found
}
