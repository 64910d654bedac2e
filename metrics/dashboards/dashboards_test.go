// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards_test

import (
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/metrics/dashboards"
)

func TestFS_IsGenerated(t *testing.T) {
	t.Parallel()
	generated, err := dashboards.Generate()
	if err != nil {
		t.Fatal(err)
	}
	committed, err := fs.Glob(dashboards.FS(), "*")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(committed), len(generated); got != want {
		t.Errorf("FS() has the files %v, want %d files", committed, want)
	}
	for name, want := range generated {
		got, err := fs.ReadFile(dashboards.FS(), name)
		if err != nil {
			t.Errorf("FS(): %v", err)
			continue
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is stale, and go generate rewrites it (-want +got):\n%s", name, diff)
		}
	}
}
