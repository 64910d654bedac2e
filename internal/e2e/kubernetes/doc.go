// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package kubernetes tests carriers/k8scarrier and package job with a real control plane:
// etcd, the API server, and the controllers of Jobs and CronJobs. The kubelet is a model,
// which runs the command of a container as a process.
package kubernetes
