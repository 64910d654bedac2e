// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package kubernetes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

const node = "node-1"

// kubelet runs the pods of a cluster as processes of this machine: the part of a kubelet
// that decides which environment a process gets.
type kubelet struct {
	t      testing.TB
	client kubernetes.Interface
	group  sync.WaitGroup

	mu      sync.Mutex
	started map[types.UID]bool
	outputs []output
	printed chan struct{} // Is closed, and replaced, when there is one more output.
}

// output is what a container has printed.
type output struct {
	pod  *corev1.Pod
	text string
}

// startKubelet runs pods until the test ends.
func startKubelet(t testing.TB, client kubernetes.Interface) *kubelet {
	t.Helper()
	k := &kubelet{t: t, client: client, started: make(map[types.UID]bool), printed: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context())) // The pods end after the test has.
	pods, err := client.CoreV1().Pods("").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	k.group.Go(func() {
		for event := range pods.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok && event.Type != "DELETED" && k.isNew(pod) {
				k.group.Go(func() { k.run(ctx, pod) })
			}
		}
	})
	t.Cleanup(func() { cancel(); pods.Stop(); k.group.Wait() })
	return k
}

func (k *kubelet) isNew(pod *corev1.Pod) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.started[pod.UID] || pod.Status.Phase != corev1.PodPending {
		return false
	}
	k.started[pod.UID] = true
	return true
}

// run binds a pod to the node, runs its init containers and then its containers, one after
// another, and reports how they ended.
func (k *kubelet) run(ctx context.Context, pod *corev1.Pod) {
	pods := k.client.CoreV1().Pods(pod.Namespace)
	binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: pod.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: node}}
	if err := pods.Bind(ctx, binding, metav1.CreateOptions{}); err != nil {
		k.fail(ctx, err)
		return
	}
	pod.Spec.NodeName = node
	p := &runningPod{Pod: pod, volumes: k.t.TempDir()}
	status := pod.DeepCopy()
	status.Status.Phase = corev1.PodSucceeded
	for i := range pod.Spec.InitContainers {
		if status.Status.Phase == corev1.PodSucceeded {
			status.Status.InitContainerStatuses = append(status.Status.InitContainerStatuses, k.runContainer(ctx, p, &pod.Spec.InitContainers[i]))
			status.Status.Phase = phaseOf(status.Status.InitContainerStatuses)
		}
	}
	if status.Status.Phase == corev1.PodSucceeded {
		for i := range pod.Spec.Containers {
			status.Status.ContainerStatuses = append(status.Status.ContainerStatuses, k.runContainer(ctx, p, &pod.Spec.Containers[i]))
		}
		status.Status.Phase = phaseOf(status.Status.ContainerStatuses)
	}
	for {
		_, err := pods.UpdateStatus(ctx, status, metav1.UpdateOptions{})
		if !apierrors.IsConflict(err) {
			k.fail(ctx, err)
			return
		}
		current, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil {
			k.fail(ctx, err)
			return
		}
		status.ResourceVersion = current.ResourceVersion
	}
}

// fail reports an error that is not one of the end of the test.
func (k *kubelet) fail(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil && !apierrors.IsNotFound(err) {
		k.t.Errorf("kubelet: %v", err)
	}
}

// runningPod is a pod with the directory of its volumes.
type runningPod struct {
	*corev1.Pod

	volumes string
}

// volume returns the directory of a volume, which has no file at first.
func (p *runningPod) volume(t testing.TB, name string) string {
	t.Helper()
	for _, v := range p.Spec.Volumes {
		if v.Name == name && v.EmptyDir != nil {
			dir := filepath.Join(p.volumes, name)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Error(err)
			}
			return dir
		}
	}
	t.Errorf("kubelet: there is no volume %q", name)
	return ""
}

// phaseOf returns the phase of a pod whose containers have ended.
func phaseOf(statuses []corev1.ContainerStatus) corev1.PodPhase {
	for _, s := range statuses {
		if s.State.Terminated.ExitCode != 0 {
			return corev1.PodFailed
		}
	}
	return corev1.PodSucceeded
}

// runContainer runs the command of a container and returns how it ended.
func (k *kubelet) runContainer(ctx context.Context, pod *runningPod, c *corev1.Container) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: c.Name, Image: c.Image, State: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{ExitCode: int32(k.runCommand(ctx, pod, c)), FinishedAt: metav1.Now()},
	}}
}

// runCommand runs the command of a container and returns its exit code.
func (k *kubelet) runCommand(ctx context.Context, pod *runningPod, c *corev1.Container) int {
	environ := environOf(k.t, pod, c)
	cmd := exec.CommandContext(ctx, c.Command[0], append(c.Command[1:len(c.Command):len(c.Command)], c.Args...)...)
	cmd.Env = environ
	if len(c.VolumeMounts) > 0 { // A process of this machine finds it as its directory.
		cmd.Dir = pod.volume(k.t, c.VolumeMounts[0].Name)
	}
	var out, failures bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failures
	err := cmd.Run()
	k.mu.Lock()
	k.outputs = append(k.outputs, output{pod: pod.Pod, text: out.String()})
	close(k.printed)
	k.printed = make(chan struct{})
	k.mu.Unlock()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	default:
		k.fail(ctx, fmt.Errorf("%s: %w: %s", pod.Name, err, failures.String()))
		return 128
	}
}

// reference is what kubelet expands in a value.
// https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
var reference = regexp.MustCompile(`(?s)\$\$|\$\([^)]*\)`)

// environOf returns the environment of a process of the container.
func environOf(t testing.TB, pod *runningPod, c *corev1.Container) []string {
	t.Helper()
	values := map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": pod.Name, "HOME": "/root"}
	if pod.Spec.Hostname != "" {
		values["HOSTNAME"] = pod.Spec.Hostname
	}
	for _, entry := range c.Env {
		if entry.ValueFrom != nil && entry.ValueFrom.FileKeyRef != nil {
			ref := entry.ValueFrom.FileKeyRef
			value := server.Variable(t, filepath.Join(pod.volume(t, ref.VolumeName), ref.Path), ref.Key)
			if value != "" || ref.Optional == nil || !*ref.Optional {
				values[entry.Name] = value
			}
			continue
		}
		if entry.ValueFrom != nil {
			values[entry.Name] = field(t, pod.Pod, entry.ValueFrom.FieldRef)
			continue
		}
		values[entry.Name] = reference.ReplaceAllStringFunc(entry.Value, func(found string) string {
			if found == "$$" {
				return "$"
			}
			if value, ok := values[found[2:len(found)-1]]; ok {
				return value
			}
			return found
		})
	}
	environ := make([]string, 0, len(values))
	for name, value := range values {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// field returns the value of a field of a pod.
func field(t testing.TB, pod *corev1.Pod, ref *corev1.ObjectFieldSelector) string {
	t.Helper()
	if ref == nil {
		t.Error("kubelet: a source that is not a field")
		return ""
	}
	switch path := ref.FieldPath; path {
	case "metadata.name":
		return pod.Name
	case "metadata.namespace":
		return pod.Namespace
	case "metadata.uid":
		return string(pod.UID)
	case "spec.nodeName":
		return pod.Spec.NodeName
	default:
		if key, ok := strings.CutPrefix(path, "metadata.annotations['"); ok {
			return pod.Annotations[strings.TrimSuffix(key, "']")]
		}
		if key, ok := strings.CutPrefix(path, "metadata.labels['"); ok {
			return pod.Labels[strings.TrimSuffix(key, "']")]
		}
		t.Errorf("kubelet: the field %s", path)
		return ""
	}
}
