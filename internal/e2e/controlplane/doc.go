// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package controlplane is empty. Its module pins the versions of the API server and the
// controllers of Kubernetes and of etcd, and of the parser of kubelet, which deps.sh builds
// as tools. They are in a module of their own because Kubernetes requires its parts by
// replacements.
package controlplane
