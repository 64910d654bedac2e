// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier_test

import (
	"os"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"

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

func TestJobInfo_Attributes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		info envcarrier.JobInfo
		want string
	}{
		"zero": {},
		"none": {info: envcarrier.JobInfo{Index: -1}},
		"all": {
			info: envcarrier.JobInfo{Name: "nightly", UID: "u", Namespace: "etl", Pod: "nightly-x", PodUID: "p", Index: 2, Attempt: 3},
			want: "k8s.job.name=nightly k8s.job.uid=u k8s.namespace.name=etl batch.kubernetes.io/job-completion-index=2 k8s.pod.name=nightly-x k8s.pod.uid=p",
		},
		"not indexed": {info: envcarrier.JobInfo{Name: "nightly", Index: -1}, want: "k8s.job.name=nightly"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := attribute.NewSet(tt.info.Attributes()...)
			got := strings.ReplaceAll(set.Encoded(attribute.DefaultEncoder()), "k8s.pod.label.", "")
			if got = strings.ReplaceAll(got, ",", " "); got != tt.want {
				t.Errorf("attributes %s, want %s", got, tt.want)
			}
		})
	}
}
