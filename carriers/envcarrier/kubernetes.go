// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import (
	"os"
	"strconv"

	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/kubejob"
	"github.com/waybill-go/waybill/internal/semconv"
)

// JobInfo describes the Kubernetes Job that a process runs in, and its pod. A
// field that cannot be determined is empty, unless it is documented otherwise.
type JobInfo struct {
	Name      string // Of the Job.
	UID       string // Of the Job.
	Namespace string
	Pod       string
	PodUID    string // Differs between the attempts of a Job.
	Index     int    // The completion index, or -1 if the Job is not indexed.
	Attempt   int    // 1 for the first attempt of the index, or 0 if unknown.
}

// The variables that [KubernetesJob] reads first. Package k8scarrier sets them with
// WithJobInfo, and a manifest sets them from the downward API.
const (
	JobNameVariable      = kubejob.VarJobName     // The label batch.kubernetes.io/job-name.
	JobUIDVariable       = kubejob.VarJobUID      // The label batch.kubernetes.io/controller-uid.
	JobFailuresVariable  = kubejob.VarJobFailures // The annotation batch.kubernetes.io/job-index-failure-count.
	PodNameVariable      = kubejob.VarPodName
	PodNamespaceVariable = kubejob.VarPodNamespace
	PodUIDVariable       = kubejob.VarPodUID
)

// KubernetesJob returns the Kubernetes Job that this process runs in, and reports
// whether it runs in one. It needs neither the API server nor any permission: it
// reads the environment, and files that are mounted in every pod.
//
// An Indexed Job is always recognized. Another one is recognized by the variables
// that carriers/k8scarrier adds with WithJobInfo, which are also the only source
// of UID, Attempt and, except for Indexed Jobs, Name. Pod is read from variables
// that hold metadata.name, such as POD_NAME, but not from the host name, because
// a pod may have the host name of its node.
func KubernetesJob() (JobInfo, bool) {
	job, ok := kubejob.Read(os.Getenv)
	return JobInfo(job), ok
}

// indexLabel is the label with the completion index of a pod.
// https://kubernetes.io/docs/reference/labels-annotations-taints/#batch-kubernetes-io-job-completion-index
const indexLabel = "batch.kubernetes.io/job-completion-index"

// Attributes returns j as attributes of a resource, by the conventions of
// OpenTelemetry: k8s.namespace.name, k8s.job.name, k8s.job.uid, k8s.pod.name,
// k8s.pod.uid, and the completion index as a label of the pod. What is unknown is left
// out. The attempt is not among them, as it is of a run and not of a resource.
func (j JobInfo) Attributes() []attribute.KeyValue {
	var attributes []attribute.KeyValue
	for _, a := range []attribute.KeyValue{
		semconv.K8SNamespaceNameKey.String(j.Namespace),
		semconv.K8SJobNameKey.String(j.Name),
		semconv.K8SJobUIDKey.String(j.UID),
		semconv.K8SPodNameKey.String(j.Pod),
		semconv.K8SPodUIDKey.String(j.PodUID),
	} {
		if a.Value.AsString() != "" {
			attributes = append(attributes, a)
		}
	}
	if j.Name != "" && j.Index >= 0 {
		attributes = append(attributes, semconv.K8SPodLabel(indexLabel, strconv.Itoa(j.Index)))
	}
	return attributes
}
