// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/propagation"
)

// What is recorded is pinned. A change of the golden file is a breaking change.
func TestJobs_Telemetry(t *testing.T) {
	t.Parallel()
	provider, spans := recorder()
	create := func(ok bool, opts ...k8scarrier.JobsOption) {
		job := nightly()
		job.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{secret("TRACEPARENT")}
		job.Spec.Template.Annotations = map[string]string{"k": strings.Repeat("v", 256<<10-1)}
		jobs := k8scarrier.NewJobs(fake.NewClientset().BatchV1().Jobs("etl"),
			append(opts, k8scarrier.WithTracerProvider(provider), k8scarrier.WithPropagation(propagation.WithPropagator(w3c)))...)
		if _, err := jobs.Create(t.Context(), job, metav1.CreateOptions{}); (err == nil) != ok {
			t.Errorf("error %v", err)
		}
	}
	create(true)
	create(true, k8scarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting)))
	create(true, k8scarrier.WithAnnotations(""))
	create(false, k8scarrier.WithErrorOnConflict())
	applied := k8scarrier.NewJobs(fake.NewClientset().BatchV1().Jobs("etl"), k8scarrier.WithTracerProvider(provider))
	if _, err := applied.Apply(t.Context(), jobToApply(), applyOptions); err != nil {
		t.Fatal(err)
	}

	lines := map[string]bool{}
	for _, span := range spans.Ended() {
		lines[fmt.Sprintf("span %q %s %s", span.Name(), span.SpanKind(), span.InstrumentationScope().Name)] = true
		for _, kv := range span.Attributes() {
			lines[fmt.Sprintf("span %q has %s of type %s", span.Name(), kv.Key, kv.Value.Type())] = true
		}
	}
	telemetry := strings.Join(slices.Sorted(maps.Keys(lines)), "\n") + "\n"

	pinned, err := os.ReadFile("testdata/telemetry.golden")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.ReplaceAll(string(pinned), "\r\n", "\n"), telemetry); diff != "" {
		t.Errorf("telemetry.golden differs (-want +got):\n%s", diff)
	}
	documentation, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for word := range strings.FieldsSeq(telemetry) {
		if strings.Contains(word, ".") && !strings.Contains(word, "/") && !strings.Contains(string(documentation), word) {
			t.Errorf("the package documentation does not name %s", word)
		}
	}
}
