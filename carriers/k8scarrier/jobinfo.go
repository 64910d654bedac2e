// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import batchv1 "k8s.io/api/batch/v1"

// jobInfo returns the variables that tell a container which Job, pod and attempt
// it is. A label or annotation that a pod does not have gives "".
// https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
func jobInfo() entries {
	return entries{
		"WAYBILL_JOB_NAME":      fieldRef("WAYBILL_JOB_NAME", labelPath(batchv1.JobNameLabel)),
		"WAYBILL_JOB_UID":       fieldRef("WAYBILL_JOB_UID", labelPath(batchv1.ControllerUidLabel)),
		"WAYBILL_JOB_FAILURES":  fieldRef("WAYBILL_JOB_FAILURES", annotationPath(batchv1.JobIndexFailureCountAnnotation)),
		"WAYBILL_POD_NAME":      fieldRef("WAYBILL_POD_NAME", "metadata.name"),
		"WAYBILL_POD_NAMESPACE": fieldRef("WAYBILL_POD_NAMESPACE", "metadata.namespace"),
		"WAYBILL_POD_UID":       fieldRef("WAYBILL_POD_UID", "metadata.uid"),
	}
}
