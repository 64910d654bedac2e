// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Kubernetes implements the part of an API server that creates and lists Jobs, and the
// parts of a Job controller and a kubelet that run them: the first container of a pod
// runs once, as a process, with the environment of the pod spec.
type Kubernetes struct {
	launch Launch

	mu   sync.Mutex
	jobs []*batchv1.Job
}

// StartKubernetes starts the server. Each pod is a process that launch starts with the
// command of its first container.
func StartKubernetes(launch Launch) (url string, stop func(), err error) {
	k := &Kubernetes{launch: launch}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /apis/batch/v1/namespaces/{namespace}/jobs", k.create)
	mux.HandleFunc("GET /apis/batch/v1/namespaces/{namespace}/jobs", k.list)
	return serve(mux)
}

// WriteKubeconfig writes a kubeconfig for the server at url.
func WriteKubeconfig(file, url string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["local"] = &clientcmdapi.Cluster{Server: url}
	config.Contexts["local"] = &clientcmdapi.Context{Cluster: "local"}
	config.CurrentContext = "local"
	return clientcmd.WriteToFile(*config, file)
}

func (k *Kubernetes) create(w http.ResponseWriter, r *http.Request) {
	job, err := readJob(r.Body)
	if err != nil {
		answer(w, http.StatusBadRequest, metav1.Status{Status: metav1.StatusFailure, Message: err.Error()})
		return
	}
	job.UID = uuid.NewUUID()
	if job.Name == "" {
		job.Name = job.GenerateName + string(job.UID[:5])
	}
	job.Namespace = r.PathValue("namespace")
	job.CreationTimestamp = metav1.Now()
	job.Status.Active = 1

	k.mu.Lock()
	k.jobs = append(k.jobs, job)
	created := job.DeepCopy()
	k.mu.Unlock()

	if wait, err := k.runPod(created.DeepCopy()); err != nil {
		k.end(job, err)
	} else {
		go func() { k.end(job, wait()) }()
	}
	answer(w, http.StatusCreated, created)
}

// readJob reads a Job, which clients send as Protobuf or JSON.
func readJob(body io.Reader) (*batchv1.Job, error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(text, nil, nil)
	if err != nil {
		return nil, err
	}
	job, ok := object.(*batchv1.Job)
	if !ok || len(job.Spec.Template.Spec.Containers) == 0 || len(job.Spec.Template.Spec.Containers[0].Command) == 0 {
		return nil, errors.New("not a Job with a container that says its command")
	}
	return job, nil
}

// end records the result of a Job.
func (k *Kubernetes) end(job *batchv1.Job, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	job.Status.Active = 0
	condition := batchv1.JobCondition{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}
	if err != nil {
		job.Status.Failed = 1
		condition.Type, condition.Message = batchv1.JobFailed, err.Error()
	} else {
		job.Status.Succeeded = 1
	}
	job.Status.Conditions = append(job.Status.Conditions, condition)
}

func (k *Kubernetes) list(w http.ResponseWriter, _ *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var list batchv1.JobList
	for _, job := range k.jobs {
		list.Items = append(list.Items, *job)
	}
	answer(w, http.StatusOK, list)
}

// runPod runs the pod of job, as kubelet does.
func (k *Kubernetes) runPod(job *batchv1.Job) (wait func() error, err error) {
	pod := job.Spec.Template
	pod.UID = uuid.NewUUID()
	pod.Name = job.Name + "-" + string(pod.UID[:5])
	pod.Namespace = job.Namespace
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	pod.Labels[batchv1.JobNameLabel] = job.Name
	pod.Labels[batchv1.ControllerUidLabel] = string(job.UID)

	container := pod.Spec.Containers[0]
	environ, values := podEnv(pod, container.Env)
	var args []string
	for _, arg := range slices.Concat(container.Command[1:], container.Args) {
		args = append(args, expand(arg, values))
	}
	return k.launch(pod.Name, args, environ)
}

// podEnv returns the environment that kubelet gives to a container.
func podEnv(pod corev1.PodTemplateSpec, env []corev1.EnvVar) (environ []string, values map[string]string) {
	values = map[string]string{
		"PATH":                    os.Getenv("PATH"),
		"HOSTNAME":                pod.Name,
		"KUBERNETES_SERVICE_HOST": "127.0.0.1",
	}
	for _, entry := range env {
		if entry.ValueFrom != nil && entry.ValueFrom.FieldRef != nil {
			values[entry.Name] = field(pod, entry.ValueFrom.FieldRef.FieldPath)
			continue
		}
		values[entry.Name] = expand(entry.Value, values)
	}
	for name, value := range values {
		environ = append(environ, name+"="+value)
	}
	return environ, values
}

// field returns the field path of pod, as the downward API does.
func field(pod corev1.PodTemplateSpec, path string) string {
	switch path {
	case "metadata.name":
		return pod.Name
	case "metadata.namespace":
		return pod.Namespace
	case "metadata.uid":
		return string(pod.UID)
	case "spec.nodeName":
		return "local"
	}
	name, key, _ := strings.Cut(strings.TrimSuffix(path, "']"), "['")
	if name == "metadata.labels" {
		return pod.Labels[key]
	}
	return pod.Annotations[key]
}

// expand replaces $(NAME) in s if values has NAME, and $$ by $, as kubelet does.
func expand(s string, values map[string]string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, closed := strings.Cut(strings.TrimPrefix(rest, "("), ")")
		value, known := values[name]
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			s = rest[1:]
		case strings.HasPrefix(rest, "(") && closed && known:
			b.WriteString(value)
			s = after
		case strings.HasPrefix(rest, "(") && closed:
			b.WriteString("$(" + name + ")")
			s = after
		default:
			b.WriteByte('$')
			s = rest
		}
	}
}
