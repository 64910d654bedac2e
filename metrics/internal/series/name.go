// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"hash/fnv"
	"strconv"
)

// DefaultNamespace is the first part of all names unless the user sets another.
const DefaultNamespace = "etl"

// IsName reports whether name is a metric or label name of the classic alphabet,
// without the colon, which is reserved for recording rules.
func IsName(name string) bool {
	for i, r := range name {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// The boards of package dashboards, to which alerts link.
const (
	BoardFlow    = "flow"
	BoardStages  = "stages"
	BoardQuality = "quality"
	BoardRuntime = "runtime"
)

// maxUID is the longest uid of a board that Grafana accepts.
const maxUID = 40

// BoardUID returns the uid of a board for the metrics of a namespace, such as
// waybill-flow. The boards of another namespace have other uids, so that a Grafana
// may hold both.
func BoardUID(board, namespace string) string {
	uid := "waybill-" + board
	if namespace == DefaultNamespace {
		return uid
	}
	if long := uid + "-" + namespace; len(long) <= maxUID {
		return long
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(namespace))
	return uid + "-" + strconv.FormatUint(uint64(hash.Sum32()), 16)
}
