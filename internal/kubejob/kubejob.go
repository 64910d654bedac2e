// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package kubejob tells which Kubernetes Job this process runs in. It imports the
// standard library only.
package kubejob

import (
	"os"
	"strconv"
	"strings"
)

// Info is what envcarrier.JobInfo documents.
type Info struct {
	Name      string // Of the Job.
	UID       string // Of the Job.
	Namespace string
	Pod       string
	PodUID    string // Differs between the attempts of a Job.
	Index     int    // The completion index, or -1 if the Job is not indexed.
	Attempt   int    // 1 for the first attempt of the index, or 0 if unknown.
}

// Read returns the Kubernetes Job that this process runs in, and reports whether it
// runs in one. It reads its variables with getenv, and files of the pod.
func Read(getenv func(string) string) (Info, bool) { return read(getenv, os.ReadFile) }

// The variables that carriers/k8scarrier sets from the downward API.
const (
	VarJobName      = "WAYBILL_JOB_NAME"
	VarJobUID       = "WAYBILL_JOB_UID"
	VarJobFailures  = "WAYBILL_JOB_FAILURES"
	VarPodName      = "WAYBILL_POD_NAME"
	VarPodNamespace = "WAYBILL_POD_NAMESPACE"
	VarPodUID       = "WAYBILL_POD_UID"
)

// The variables that others usually set from the downward API: the documentation
// of Kubernetes has names with MY, the operator of OpenTelemetry its own.
// https://kubernetes.io/docs/tasks/inject-data-application/environment-variable-expose-pod-information/
var (
	podNames      = []string{VarPodName, "POD_NAME", "MY_POD_NAME", "K8S_POD_NAME", "KUBERNETES_POD_NAME", "OTEL_RESOURCE_ATTRIBUTES_POD_NAME"}
	podNamespaces = []string{VarPodNamespace, "POD_NAMESPACE", "MY_POD_NAMESPACE", "K8S_POD_NAMESPACE", "KUBERNETES_POD_NAMESPACE", "K8S_NAMESPACE_NAME"}
	podUIDs       = []string{VarPodUID, "POD_UID", "MY_POD_UID", "K8S_POD_UID", "KUBERNETES_POD_UID", "OTEL_RESOURCE_ATTRIBUTES_POD_UID"}
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

func read(getenv func(string) string, readFile func(string) ([]byte, error)) (Info, bool) {
	// kubelet sets this variable in every container.
	if getenv("KUBERNETES_SERVICE_HOST") == "" {
		return Info{}, false
	}
	// The Job controller sets this one for Indexed Jobs.
	// https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode
	completion := getenv("JOB_COMPLETION_INDEX")
	info := Info{Name: firstName(getenv, VarJobName), UID: firstName(getenv, VarJobUID), Index: -1}
	if completion == "" && info.Name == "" {
		return Info{}, false
	}
	if index, ok := number(completion); ok {
		info.Index = index
		if info.Name == "" {
			info.Name = nameOfIndexed(getenv("HOSTNAME"), completion, readFile)
		}
	}
	if failures, ok := number(getenv(VarJobFailures)); ok {
		info.Attempt = failures + 1
	}
	info.Pod = firstName(getenv, podNames...)
	if info.Namespace = firstName(getenv, podNamespaces...); info.Namespace == "" {
		info.Namespace = trimmed(readFile(fileNamespace))
	}
	if info.PodUID = firstName(getenv, podUIDs...); info.PodUID == "" {
		info.PodUID = mountedUID(readFile(fileMounts))
	}
	return info, true
}

// number returns the number that text is, in decimal and without a sign. Kubernetes
// counts indexes and failures in 32 bits.
func number(text string) (n int, ok bool) {
	parsed, err := strconv.ParseUint(text, 10, 31)
	return int(parsed), err == nil
}

// nameOfIndexed returns the name of an Indexed Job. The controller makes the host
// name of its pods from it and the completion index, but a pod on the network of
// its node has the host name of the node.
func nameOfIndexed(host, completion string, readFile func(string) ([]byte, error)) string {
	name, ok := strings.CutSuffix(host, "-"+completion)
	if hosts, err := readFile(fileHosts); !ok || !isName(name) || err == nil && strings.HasPrefix(string(hosts), hostNetwork) {
		return ""
	}
	return name
}

// firstName returns the value of the first of variables that has a name.
func firstName(getenv func(string) string, variables ...string) string {
	for _, variable := range variables {
		if value := getenv(variable); isName(value) {
			return value
		}
	}
	return ""
}

// The longest name of an object of Kubernetes, and what is in names.
const (
	maxName        = 253
	nameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
)

// isName reports whether text may be the name or the UID of an object of Kubernetes.
// Exporters refuse text that is not UTF-8, and all spans with it.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
func isName(text string) bool {
	return text != "" && len(text) <= maxName && strings.Trim(text, nameCharacters) == ""
}

func trimmed(text []byte, err error) string {
	if name := strings.TrimSpace(string(text)); err == nil && isName(name) {
		return name
	}
	return ""
}

// podVolumes precedes the UID of the pod in the path of a volume that kubelet mounts.
const podVolumes = "/kubelet/pods/"

// mountedUID returns the UID of the pod in the path of a volume.
func mountedUID(mounts []byte, err error) string {
	rest := string(mounts)
	for err == nil {
		i := strings.Index(rest, podVolumes)
		if i < 0 {
			break
		}
		uid, _, ok := strings.Cut(rest[i+len(podVolumes):], "/")
		if ok && isUID(uid) {
			return uid
		}
		rest = rest[i+1:]
	}
	return ""
}

// isUID reports whether text is a UUID in lower case.
func isUID(text string) bool {
	const pattern = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(text) != len(pattern) {
		return false
	}
	for i := range len(pattern) {
		isHex := '0' <= text[i] && text[i] <= '9' || 'a' <= text[i] && text[i] <= 'f'
		if pattern[i] == '-' && text[i] != '-' || pattern[i] == 'x' && !isHex {
			return false
		}
	}
	return true
}
