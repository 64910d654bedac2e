// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kubejob

// What the tests of package kubejob_test see of this package.
var (
	ReadFrom   = read
	MountedUID = mountedUID
)
