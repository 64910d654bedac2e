// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/waybill-go/waybill/carriers/envcarrier"
)

// What is set is what a process can be started with, to the byte.
func TestCarrier_LongestValueStartsAProcess(t *testing.T) {
	t.Parallel()
	const limit = 128<<10 - 1 - len("KEY=")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	start := func(environ []string) error {
		cmd := exec.Command(self)
		cmd.Env = slices.Concat(environ, []string{"WAYBILL_TEST_CHILD=" + filepath.Join(t.TempDir(), "out")})
		return cmd.Run()
	}
	var carrier envcarrier.Carrier
	carrier.Set("key", strings.Repeat("v", limit))
	if err := start(carrier); err != nil || len(carrier) != 1 {
		t.Errorf("the longest value: %v, with %d variables", err, len(carrier))
	}
	longer := []string{"KEY=" + strings.Repeat("v", limit+1)}
	if err := start(longer); !errors.Is(err, syscall.E2BIG) {
		t.Errorf("one byte more: %v, want %v", err, syscall.E2BIG)
	}
}
