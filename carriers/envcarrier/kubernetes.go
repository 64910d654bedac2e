// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import (
	"os"
	"regexp"
	"strconv"
	"strings"
)

// JobInfo says which pod of which Kubernetes Job a process runs in. What
// cannot be known is "", or as the field says.
type JobInfo struct {
	Name      string // of the Job.
	UID       string // of the Job.
	Namespace string
	Pod       string
	PodUID    string // tells one attempt of a Job from another.
	Index     int    // the completion index, or -1 if the Job is not indexed.
	Attempt   int    // 1 for the first attempt of the index, 0 if not known.
}

// KubernetesJob reports whether this process runs in a Kubernetes Job, and in
// which. It asks neither the API server nor for any permission: it looks at the
// environment and at files that are mounted in the pod.
//
// An Indexed Job is always known. Another is known by the variables that
// carriers/k8scarrier adds with WithJobInfo, which also are the only source of
// UID, of Attempt and, for most Jobs, of Name.
func KubernetesJob() (JobInfo, bool) {
	return kubernetesJob(os.Getenv, os.ReadFile)
}

// The variables that carriers/k8scarrier takes from the downward API.
const (
	varJobName      = "WAYBILL_JOB_NAME"
	varJobUID       = "WAYBILL_JOB_UID"
	varJobFailures  = "WAYBILL_JOB_FAILURES"
	varPodName      = "WAYBILL_POD_NAME"
	varPodNamespace = "WAYBILL_POD_NAMESPACE"
	varPodUID       = "WAYBILL_POD_UID"
)

// The files that tell a pod about itself.
// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
const (
	fileNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
	fileMounts    = "/proc/self/mountinfo"
)

func kubernetesJob(getenv func(string) string, readFile func(string) ([]byte, error)) (JobInfo, bool) {
	// kubelet sets this one in every container.
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
	}
	if failures, err := strconv.Atoi(getenv(varJobFailures)); err == nil && failures >= 0 {
		info.Attempt = failures + 1
	}
	host := getenv("HOSTNAME")
	if job, ok := strings.CutSuffix(host, "-"+completion); ok && info.Index >= 0 {
		// The host name of an Indexed Job's pod is that of the Job and the index.
		info.Name = firstOf(info.Name, job)
		host = ""
	}
	info.Pod = firstOf(getenv(varPodName), getenv("POD_NAME"), host)
	info.Namespace = firstOf(getenv(varPodNamespace), getenv("POD_NAMESPACE"), trimmed(readFile(fileNamespace)))
	info.PodUID = firstOf(getenv(varPodUID), getenv("POD_UID"), mountedUID(readFile(fileMounts)))
	return info, true
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
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

// mountedUID finds the pod's UID in the path of a volume that kubelet mounted.
func mountedUID(mounts []byte, err error) string {
	if err != nil {
		return ""
	}
	volume := regexp.MustCompile(`/kubelet/pods/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/`)
	if found := volume.FindSubmatch(mounts); found != nil {
		return string(found[1])
	}
	return ""
}
