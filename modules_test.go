// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package waybill_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Who does not import carriers/k8scarrier gets no module of Kubernetes: it would decide
// which client-go their own programs have.
func TestModule_BuildListHasNoKubernetes(t *testing.T) {
	t.Parallel()
	for dir, isThere := range map[string]bool{".": false, "carriers/k8scarrier": true} {
		list := exec.Command("go", "list", "-m", "all")
		list.Dir = dir
		out, err := list.Output()
		if err != nil {
			t.Fatalf("%s: go list: %v", dir, err)
		}
		var found []string
		for module := range strings.Lines(string(out)) {
			if strings.HasPrefix(module, "k8s.io/") || strings.HasPrefix(module, "sigs.k8s.io/") {
				found = append(found, strings.TrimSpace(module))
			}
		}
		if (len(found) > 0) != isThere {
			t.Errorf("%s requires %q; want any: %t", dir, found, isThere)
		}
	}
}
