// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import "github.com/waybill-go/waybill/internal/kubejob"

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
	job, ok := kubejob.Read()
	return JobInfo(job), ok
}
