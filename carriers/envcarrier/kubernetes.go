// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import (
	"os"
	"regexp"
	"strconv"
	"strings"
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
	return kubernetesJob(os.Getenv, os.ReadFile)
}

// The variables that carriers/k8scarrier sets from the downward API.
const (
	varJobName      = "WAYBILL_JOB_NAME"
	varJobUID       = "WAYBILL_JOB_UID"
	varJobFailures  = "WAYBILL_JOB_FAILURES"
	varPodName      = "WAYBILL_POD_NAME"
	varPodNamespace = "WAYBILL_POD_NAMESPACE"
	varPodUID       = "WAYBILL_POD_UID"
)

// The variables that others usually set from the downward API: the documentation
// of Kubernetes has names with MY, the operator of OpenTelemetry its own.
// https://kubernetes.io/docs/tasks/inject-data-application/environment-variable-expose-pod-information/
var (
	podNames      = []string{varPodName, "POD_NAME", "MY_POD_NAME", "K8S_POD_NAME", "KUBERNETES_POD_NAME", "OTEL_RESOURCE_ATTRIBUTES_POD_NAME"}
	podNamespaces = []string{varPodNamespace, "POD_NAMESPACE", "MY_POD_NAMESPACE", "K8S_POD_NAMESPACE", "KUBERNETES_POD_NAMESPACE", "K8S_NAMESPACE_NAME"}
	podUIDs       = []string{varPodUID, "POD_UID", "MY_POD_UID", "K8S_POD_UID", "KUBERNETES_POD_UID", "OTEL_RESOURCE_ATTRIBUTES_POD_UID"}
)

// The files that describe a pod to its processes.
// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
const (
	fileNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
	fileMounts    = "/proc/self/mountinfo"
	fileHosts     = "/etc/hosts"
)

// hostNetwork is in the first line that kubelet writes to the hosts file of a pod
// that has the network, and so the host name, of its node.
const hostNetwork = "# Kubernetes-managed hosts file (host network)."

func kubernetesJob(getenv func(string) string, readFile func(string) ([]byte, error)) (JobInfo, bool) {
	// kubelet sets this variable in every container.
	if getenv("KUBERNETES_SERVICE_HOST") == "" {
		return JobInfo{}, false
	}
	// The Job controller sets this one for Indexed Jobs.
	// https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
	completion := getenv("JOB_COMPLETION_INDEX")
	info := JobInfo{Name: getenv(varJobName), UID: getenv(varJobUID), Index: -1}
	if completion == "" && info.Name == "" {
		return JobInfo{}, false
	}
	if index, err := strconv.Atoi(completion); err == nil && index >= 0 {
		info.Index = index
		if info.Name == "" {
			info.Name = nameOfIndexed(getenv("HOSTNAME"), completion, readFile)
		}
	}
	if failures, err := strconv.Atoi(getenv(varJobFailures)); err == nil && failures >= 0 {
		info.Attempt = failures + 1
	}
	info.Pod = firstSet(getenv, podNames)
	if info.Namespace = firstSet(getenv, podNamespaces); info.Namespace == "" {
		info.Namespace = trimmed(readFile(fileNamespace))
	}
	if info.PodUID = firstSet(getenv, podUIDs); info.PodUID == "" {
		info.PodUID = mountedUID(readFile(fileMounts))
	}
	return info, true
}

// nameOfIndexed returns the name of an Indexed Job. The controller makes the host
// name of its pods from it and the completion index, but a pod on the network of
// its node has the host name of the node.
func nameOfIndexed(host, completion string, readFile func(string) ([]byte, error)) string {
	name, ok := strings.CutSuffix(host, "-"+completion)
	if hosts, err := readFile(fileHosts); !ok || err == nil && strings.HasPrefix(string(hosts), hostNetwork) {
		return ""
	}
	return name
}

// firstSet returns the value of the first of names that is set.
func firstSet(getenv func(string) string, names []string) string {
	for _, name := range names {
		if value := getenv(name); value != "" {
			return value
		}
	}
	return ""
}

func trimmed(text []byte, err error) string {
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// volume is the path of a volume that kubelet mounts in a pod.
var volume = regexp.MustCompile(`/kubelet/pods/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/`)

// mountedUID returns the UID of the pod in the path of a volume.
func mountedUID(mounts []byte, err error) string {
	if err != nil {
		return ""
	}
	if found := volume.FindSubmatch(mounts); found != nil {
		return string(found[1])
	}
	return ""
}
