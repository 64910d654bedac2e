// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package kubernetes

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	batchv1client "k8s.io/client-go/kubernetes/typed/batch/v1"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/propagation"
)

// The limits of the API server.
const (
	maxAnnotations = 256 << 10
	traceparentLen = 55
)

// odd is a propagator whose key no variable and no annotation can have.
type odd struct{}

func (odd) Inject(_ context.Context, c propagation.TextMapCarrier) {
	c.Set("trace=parent \u00e9", "v")
	c.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
}
func (odd) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context { return ctx }
func (odd) Fields() []string                                                          { return []string{"traceparent", "trace=parent \u00e9"} }

// refusal is a Job that the API server refuses if a context is put into it by hand.
type refusal struct {
	job    func() *batchv1.Job
	byHand func(job *batchv1.Job)
	reason func(error) bool // Or apierrors.IsInvalid.
	opts   []k8scarrier.Option
	says   string // The error of k8scarrier; if it is empty, the server takes the Job.
}

// refusals are the ways in which the server refuses a context.
func refusals() map[string]refusal {
	of := func(change func(job *batchv1.Job)) func() *batchv1.Job {
		return func() *batchv1.Job {
			job := newJob("", "succeeds")
			job.GenerateName, job.Spec.Suspend = "refused-", new(true)
			change(job)
			return job
		}
	}
	setEnv := func(name, value string, source *corev1.EnvVarSource) func(*batchv1.Job) {
		return func(job *batchv1.Job) {
			for i := range job.Spec.Template.Spec.Containers {
				c := &job.Spec.Template.Spec.Containers[i]
				c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value, ValueFrom: source})
			}
		}
	}
	annotate := func(key, value string) func(*batchv1.Job) {
		return func(job *batchv1.Job) {
			if job.Spec.Template.Annotations == nil {
				job.Spec.Template.Annotations = map[string]string{}
			}
			job.Spec.Template.Annotations[key] = value
		}
	}
	secret := &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "k"}}
	reference := &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['tracing.k8s.io/trace=parent \u00e9']"}}
	inFile := func(path string) func(*batchv1.Job) {
		return setEnv("TRACEPARENT", "", &corev1.EnvVarSource{FileKeyRef: &corev1.FileKeySelector{VolumeName: "handover", Path: path, Key: "TRACEPARENT"}})
	}
	prepared := func(volume corev1.VolumeSource) func() *batchv1.Job {
		return of(func(job *batchv1.Job) {
			pod := &job.Spec.Template.Spec
			pod.Volumes = []corev1.Volume{{Name: "handover", VolumeSource: volume}}
			pod.InitContainers = []corev1.Container{{Name: "prepare", Image: "e2e", VolumeMounts: []corev1.VolumeMount{{Name: "handover", MountPath: "/handover"}}}}
		})
	}
	emptyDir := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	filled := func(room int) func(*batchv1.Job) {
		return annotate("notes", strings.Repeat("v", maxAnnotations-len("notes")-room))
	}
	ours := len("tracing.k8s.io/traceparent") + traceparentLen
	traceContext := k8scarrier.WithPropagation(propagation.WithPropagator(propagation.TraceContext{}))
	plain := of(func(*batchv1.Job) {})
	return map[string]refusal{
		"annotations that are too large": {
			job: of(filled(ours - 1)), byHand: annotate("tracing.k8s.io/traceparent", strings.Repeat("0", traceparentLen)),
			opts: []k8scarrier.Option{traceContext, k8scarrier.WithAnnotations("")}, says: "there is no room for the context",
		},
		"annotations that just fit": {
			job: of(filled(ours)), byHand: annotate("tracing.k8s.io/traceparent", strings.Repeat("0", traceparentLen+1)),
			opts: []k8scarrier.Option{traceContext, k8scarrier.WithAnnotations("")},
		},
		"annotations with too little room for all": {
			job: of(filled(ours)), byHand: annotate("tracing.k8s.io/waybill", strings.Repeat("0", 40+ours)),
			opts: []k8scarrier.Option{k8scarrier.WithAnnotations("")},
		},
		"a prefix that is none": {
			job: plain, byHand: annotate("no such prefix/traceparent", "x"),
			opts: []k8scarrier.Option{k8scarrier.WithAnnotations("no such prefix")}, says: `the prefix of annotations is not valid: "no such prefix"`,
		},
		"a key of an annotation that is none": {
			job: plain, byHand: annotate("tracing.k8s.io/trace=parent \u00e9", "x"),
			opts: []k8scarrier.Option{k8scarrier.WithAnnotations(""), k8scarrier.WithPropagation(propagation.WithPropagator(odd{}))},
		},
		"a reference to such a key": {
			job: plain, byHand: setEnv("TRACEPARENT", "", reference),
			opts: []k8scarrier.Option{k8scarrier.WithAnnotations(""), k8scarrier.WithPropagation(propagation.WithPropagator(odd{}))},
		},
		"a name of a variable that is none": {
			job: plain, byHand: setEnv("trace=parent", "x", nil),
			opts: []k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithPropagator(odd{}))},
		},
		"a name of a variable that is empty": {job: plain, byHand: setEnv("", "x", nil)},
		"a value beside a source":            {job: of(setEnv("TRACEPARENT", "", secret)), byHand: func(job *batchv1.Job) { job.Spec.Template.Spec.Containers[0].Env[1].Value = "x" }},
		"the same, in conflict": {
			job: of(setEnv("TRACEPARENT", "", secret)), byHand: func(job *batchv1.Job) { job.Spec.Template.Spec.Containers[0].Env[1].Value = "x" },
			opts: []k8scarrier.Option{k8scarrier.WithErrorOnConflict()}, says: `container "main", variable "TRACEPARENT"`,
		},
		"a resource with a value beside a source": {
			job: of(setEnv("OTEL_RESOURCE_ATTRIBUTES", "", secret)), byHand: func(job *batchv1.Job) { job.Spec.Template.Spec.Containers[0].Env[1].Value = "x=y" },
			opts: []k8scarrier.Option{k8scarrier.WithResource(attribute.String("service.version", "1"))},
		},
		"a file in no volume": {
			job: plain, byHand: inFile("context"),
			opts: []k8scarrier.Option{k8scarrier.WithContextFile("handover", "context")}, says: `the pod has no volume "handover"`,
		},
		"a file in a volume of another kind": {
			job: prepared(corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/tmp"}}), byHand: inFile("context"),
			opts: []k8scarrier.Option{k8scarrier.WithContextFile("handover", "context")}, says: `the volume "handover" is not an emptyDir`,
		},
		"a file outside of its volume": {
			job: prepared(emptyDir), byHand: inFile("../context"),
			opts: []k8scarrier.Option{k8scarrier.WithContextFile("handover", "../context")}, says: `the path "../context" is not one in a volume`,
		},
		"a file without a path": {
			job: prepared(emptyDir), byHand: inFile(""),
			opts: []k8scarrier.Option{k8scarrier.WithContextFile("handover", "")}, says: `the path "" is not one in a volume`,
		},
		"a variable of a file that is none": {
			job: prepared(emptyDir), byHand: setEnv("trace=parent", "", &corev1.EnvVarSource{FileKeyRef: &corev1.FileKeySelector{VolumeName: "handover", Path: "context", Key: "trace=parent"}}),
			opts: []k8scarrier.Option{k8scarrier.WithContextFile("handover", "context"), k8scarrier.WithPropagation(propagation.WithPropagator(odd{}))},
		},
		"a context in hundreds of containers": {
			job: of(func(job *batchv1.Job) {
				first := job.Spec.Template.Spec.Containers[0]
				for n := range 240 {
					more := *first.DeepCopy()
					more.Name = fmt.Sprintf("more-%d", n)
					job.Spec.Template.Spec.Containers = append(job.Spec.Template.Spec.Containers, more)
				}
			}),
			byHand: setEnv("BAGGAGE", "user="+strings.Repeat("v", 7<<10), nil),
			reason: func(err error) bool { return err != nil && strings.Contains(err.Error(), "too large") },
			opts:   []k8scarrier.Option{k8scarrier.WithPropagation(propagation.WithBaggage("user"))},
		},
	}
}

// testRefusals tests that what the server refuses is refused before, with a sentence that
// says what to do, or never made.
func testRefusals(t *testing.T, jobs batchv1client.JobInterface) {
	t.Helper()
	ctx, _ := inSpan(t)
	member, err := baggage.NewMember("user", strings.Repeat("v", 7<<10))
	if err != nil {
		t.Fatal(err)
	}
	members, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	ctx = baggage.ContextWithBaggage(ctx, members)
	for name, tt := range refusals() {
		t.Run(name, func(t *testing.T) {
			byHand, injected := tt.job(), tt.job()
			tt.byHand(byHand)
			isRefusal := tt.reason
			if isRefusal == nil {
				isRefusal = apierrors.IsInvalid
			}
			if _, err := jobs.Create(ctx, byHand, metav1.CreateOptions{}); !isRefusal(err) {
				t.Errorf("the server returns %v of what is made by hand", err)
			}
			err := k8scarrier.InjectJob(ctx, injected, tt.opts...)
			if (err != nil) != (tt.says != "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want one that says %q", err, tt.says)
			}
			if _, err := jobs.Create(ctx, injected, metav1.CreateOptions{}); err != nil {
				t.Errorf("the server refuses what is injected, or left as it was: %v", err)
			}
		})
	}
}
