// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package operations_test

import (
	"path/filepath"
	"testing"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

func TestRules_PassPromtool(t *testing.T) {
	t.Parallel()
	metrics := filepath.Join("..", "..", "..", "metrics")
	for command, patterns := range map[string][]string{
		"check": {"alerts/*.rules.yaml", "rules/testdata/*.rules.yaml"},
		"test":  {"alerts/testdata/*.test.yaml", "rules/testdata/*.test.yaml"},
	} {
		for _, pattern := range patterns {
			files, err := filepath.Glob(filepath.Join(metrics, filepath.FromSlash(pattern)))
			if err != nil || len(files) == 0 {
				t.Fatalf("%s matches the files %q: %v", pattern, files, err)
			}
			for _, file := range files {
				t.Run(command+" "+filepath.Base(file), func(t *testing.T) {
					t.Parallel()
					if output, err := server.Promtool(t, filepath.Dir(file), "", command, "rules", filepath.Base(file)); err != nil {
						t.Errorf("promtool %s rules: %v\n%s", command, err, output)
					}
				})
			}
		}
	}
}
