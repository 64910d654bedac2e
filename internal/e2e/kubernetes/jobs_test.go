// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package kubernetes

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applybatch "k8s.io/client-go/applyconfigurations/batch/v1"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/waybill-go/waybill/carriers/k8scarrier"
	"github.com/waybill-go/waybill/propagation"
)

// newJob returns a Job whose container runs this program, which does what.
func newJob(name, what string) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		Spec: batchv1.JobSpec{
			BackoffLimit: new(int32),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever,
				Containers:    []corev1.Container{{Name: "main", Image: "e2e", Command: []string{os.Args[0]}, Env: []corev1.EnvVar{{Name: asJob, Value: what}}}},
			}},
		},
	}
}

func TestJobs(t *testing.T) {
	c := startCluster(t)
	jobs := c.client.BatchV1().Jobs("default")

	t.Run("the creator and the process of the Job are one flow", func(t *testing.T) {
		t.Parallel()
		provider, spans := tracer()
		traced := k8scarrier.NewJobs(jobs, k8scarrier.WithTracerProvider(provider), k8scarrier.WithJobInfo(),
			k8scarrier.WithResource(attribute.String("service.version", "1,2 $(HOME)")))
		created, err := traced.Create(t.Context(), newJob("one", "succeeds"), metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := c.reports(t, "one", 1)[0]
		creator := spans.Ended()[0].SpanContext()
		if got.TraceID != creator.TraceID().String() || got.Parent != creator.SpanID().String() {
			t.Errorf("trace %s, parent %s; want those of %v", got.TraceID, got.Parent, creator)
		}
		want := map[string]string{
			"service.version": "1,2 $(HOME)", "k8s.namespace.name": "default", "k8s.pod.name": got.Job.Pod, "k8s.pod.uid": got.Job.PodUID,
			"k8s.node.name": node, "k8s.container.name": "main", "k8s.job.name": "one", "k8s.job.uid": string(created.UID),
		}
		if diff := cmp.Diff(want, got.Resource); diff != "" {
			t.Errorf("resource (-want +got):\n%s", diff)
		}
		if got.Job.Name != "one" || got.Job.UID != string(created.UID) || got.Job.Index != -1 {
			t.Errorf("it says that it runs in %+v", got.Job)
		}
	})

	t.Run("each attempt is a span of its own", func(t *testing.T) {
		t.Parallel()
		ctx, parent := inSpan(t)
		retried := newJob("retried", "fails")
		retried.Spec.BackoffLimit = new(int32(1))
		if err := k8scarrier.InjectJob(ctx, retried); err != nil {
			t.Fatal(err)
		}
		if _, err := jobs.Create(ctx, retried, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		attempts := c.reports(t, "retried", 2)
		for _, r := range attempts {
			if r.Parent != parent || r.Attributes["process.exit.code"] != "1" || r.Attributes["etl.outcome"] != "failure" {
				t.Errorf("parent %s, attributes %v; want %s and the exit code", r.Parent, r.Attributes, parent)
			}
		}
		if attempts[0].SpanID == attempts[1].SpanID {
			t.Error("the attempts have one span")
		}
	})

	t.Run("an Indexed Job", func(t *testing.T) {
		t.Parallel()
		ctx, parent := inSpan(t)
		indexed := newJob("indexed", "succeeds")
		indexed.Spec.CompletionMode, indexed.Spec.Completions, indexed.Spec.Parallelism = new(batchv1.IndexedCompletion), new(int32(3)), new(int32(3))
		if err := k8scarrier.InjectJob(ctx, indexed, k8scarrier.WithJobInfo()); err != nil {
			t.Fatal(err)
		}
		if _, err := jobs.Create(ctx, indexed, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		for i, r := range c.reports(t, "indexed", 3) { // The names of the pods have the index.
			if r.Job.Index != i || r.Parent != parent || r.Job.Name != "indexed" {
				t.Errorf("%d: it runs in %+v, with the parent %s", i, r.Job, r.Parent)
			}
		}
	})

	t.Run("a suspended Job gets its context late", func(t *testing.T) {
		t.Parallel()
		early, _ := inSpan(t)
		suspended := newJob("suspended", "succeeds")
		suspended.Spec.Suspend = new(true)
		if err := k8scarrier.InjectJob(early, suspended, k8scarrier.WithAnnotations("")); err != nil {
			t.Fatal(err)
		}
		stored, err := jobs.Create(early, suspended, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		late, parent := inSpan(t)
		changed := stored.DeepCopy()
		changed.ResourceVersion = "" // Whatever the controller has written meanwhile.
		if err = k8scarrier.InjectJob(late, changed); err != nil {
			t.Fatal(err)
		}
		if _, err = jobs.Update(late, changed, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
			t.Errorf("the server returns %v of a changed environment", err)
		}
		for {
			if err = k8scarrier.InjectAnnotations(late, &stored.Spec.Template, k8scarrier.WithAnnotations("")); err != nil {
				t.Fatal(err)
			}
			stored.Spec.Suspend = new(false)
			if _, err = jobs.Update(late, stored, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
				break
			}
			if stored, err = jobs.Get(late, stored.Name, metav1.GetOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := c.reports(t, "suspended", 1)[0]; got.Parent != parent {
			t.Errorf("parent %s, want the later one, %s", got.Parent, parent)
		}
		stored.ResourceVersion = ""
		if err = k8scarrier.InjectAnnotations(early, &stored.Spec.Template, k8scarrier.WithAnnotations("")); err != nil {
			t.Fatal(err)
		}
		if _, err = jobs.Update(early, stored, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
			t.Errorf("the server returns %v of annotations that are changed after the start", err)
		}
	})

	t.Run("baggage arrives byte for byte", func(t *testing.T) {
		t.Parallel()
		ctx, _ := inSpan(t)
		var members []baggage.Member
		for key, value := range map[string]string{"user": `a "b", c; d`, "path": "$(HOME)/$$x$", "odd": "100%\\ é"} {
			m, err := baggage.NewMemberRaw(key, value)
			if err != nil {
				t.Fatal(err)
			}
			members = append(members, m)
		}
		sent, err := baggage.New(members...)
		if err != nil {
			t.Fatal(err)
		}
		job := newJob("baggage", "succeeds")
		err = k8scarrier.InjectJob(baggage.ContextWithBaggage(ctx, sent), job, k8scarrier.WithPropagation(propagation.WithBaggage("user", "path", "odd")))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = jobs.Create(ctx, job, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		got, err := baggage.Parse(c.reports(t, "baggage", 1)[0].Baggage)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range members {
			if value := got.Member(m.Key()).Value(); value != m.Value() {
				t.Errorf("%s arrives as %q, want %q", m.Key(), value, m.Value())
			}
		}
	})

	t.Run("a controller applies a Job again and again", func(t *testing.T) {
		t.Parallel()
		provider, spans := tracer()
		traced := k8scarrier.NewJobs(jobs, k8scarrier.WithTracerProvider(provider), k8scarrier.WithResource(), k8scarrier.WithJobInfo())
		wanted := applybatch.Job("applied", "default").WithSpec(applybatch.JobSpec().WithBackoffLimit(0).WithTemplate(applycore.PodTemplateSpec().WithSpec(
			applycore.PodSpec().WithRestartPolicy(corev1.RestartPolicyNever).WithContainers(applycore.Container().WithName("main").WithImage("e2e").
				WithCommand(os.Args[0]).WithEnv(applycore.EnvVar().WithName(asJob).WithValue("succeeds"))))))
		for range 3 {
			ctx, _ := inSpan(t)
			if _, err := traced.Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: "controller"}); err != nil {
				t.Fatal(err)
			}
		}
		got := c.reports(t, "applied", 1)[0]
		if ended := spans.Ended(); len(ended) != 1 || got.Parent != ended[0].SpanContext().SpanID().String() {
			t.Errorf("parent %s, want that of the only span of %d", got.Parent, len(ended))
		}
	})

	t.Run("an init container hands on its own context", func(t *testing.T) {
		t.Parallel()
		ctx, creator := inSpan(t)
		member, err := baggage.NewMemberRaw("user", `a "b", c; $(HOME) \\ # é`)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := baggage.New(member)
		if err != nil {
			t.Fatal(err)
		}
		prepared := newJob("prepared", "succeeds")
		pod := &prepared.Spec.Template.Spec
		pod.Volumes = []corev1.Volume{{Name: "handover", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		pod.InitContainers = newJob("", "prepares").Spec.Template.Spec.Containers
		pod.InitContainers[0].Name, pod.InitContainers[0].VolumeMounts = "prepare", []corev1.VolumeMount{{Name: "handover", MountPath: "/handover"}}
		err = k8scarrier.InjectJob(baggage.ContextWithBaggage(ctx, sent), prepared,
			k8scarrier.WithContextFile("handover", "context"), k8scarrier.WithPropagation(propagation.WithBaggage("user")))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = jobs.Create(ctx, prepared, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		reports := c.reports(t, "prepared", 2)
		first, main := reports[0], reports[1]
		if first.Parent != creator || main.Parent != first.SpanID || main.TraceID != first.TraceID {
			t.Errorf("the init container has the parent %s, want %s; the container after it %s, want %s", first.Parent, creator, main.Parent, first.SpanID)
		}
		got, err := baggage.Parse(main.Baggage)
		if err != nil || got.Member("user").Value() != member.Value() {
			t.Errorf("baggage %q, error %v, want %q", main.Baggage, err, member.Value())
		}
	})

	t.Run("what the server refuses", func(t *testing.T) {
		t.Parallel()
		testRefusals(t, jobs)
	})

	t.Run("a CronJob fires twice", func(t *testing.T) {
		t.Parallel()
		ctx, creator := inSpan(t)
		often := &batchv1.CronJob{
			ObjectMeta: metav1.ObjectMeta{Name: "often", Namespace: "default"},
			Spec:       batchv1.CronJobSpec{Schedule: "@every 1s", JobTemplate: batchv1.JobTemplateSpec{Spec: newJob("", "succeeds").Spec}},
		}
		if err := k8scarrier.InjectCronJob(ctx, often, k8scarrier.WithResource(), k8scarrier.WithJobInfo()); err != nil {
			t.Fatal(err)
		}
		if _, err := c.client.BatchV1().CronJobs("default").Create(ctx, often, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		first := c.reports(t, "often", 1)
		// The controller names a Job by the minute: without the first, it may fire again in the same one.
		background := metav1.DeletePropagationBackground
		if err := jobs.Delete(ctx, first[0].Job.Name, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
			t.Fatal(err)
		}
		runs := c.reports(t, "often", 2)
		for _, r := range runs[:2] {
			if r.Parent != "" || len(r.Links) != 1 || r.Links[0] != creator || r.Resource["k8s.cronjob.name"] != "often" {
				t.Errorf("parent %q, links %v, resource %v; want a root that links %s", r.Parent, r.Links, r.Resource, creator)
			}
		}
		if runs[0].TraceID == runs[1].TraceID {
			t.Error("two runs are one trace")
		}
	})
}
