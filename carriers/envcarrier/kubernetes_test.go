// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier_test

import (
	"os"
	"testing"

	"github.com/waybill-go/waybill/carriers/envcarrier"
)

func TestKubernetesJob_ThisProcess(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
	t.Setenv("JOB_COMPLETION_INDEX", "4")
	t.Setenv("WAYBILL_JOB_NAME", "nightly")
	if job, ok := envcarrier.KubernetesJob(); !ok || job.Name != "nightly" || job.Index != 4 {
		t.Errorf("KubernetesJob() = %+v, %t", job, ok)
	}
	if err := os.Unsetenv("KUBERNETES_SERVICE_HOST"); err != nil {
		t.Fatal(err)
	}
	if job, ok := envcarrier.KubernetesJob(); ok || job != (envcarrier.JobInfo{}) {
		t.Errorf("KubernetesJob() = %+v, %t outside a cluster", job, ok)
	}
}
