// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// running returns the command lines of the running processes of the program in
// file, by their process ids.
func running(t *testing.T, file string) map[int]string {
	t.Helper()
	list, err := exec.Command("ps", "-A", "-o", "pid=,args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]string{}
	for line := range strings.Lines(string(list)) {
		var pid int
		if _, err := fmt.Sscan(line, &pid); err == nil && strings.Contains(line, file) && !strings.Contains(line, "defunct") {
			found[pid] = strings.TrimSpace(line)
		}
	}
	return found
}
