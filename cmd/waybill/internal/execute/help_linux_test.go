// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute_test

import "golang.org/x/sys/unix"

// subreaperName is the variable that makes a job the parent of orphans.
const subreaperName = "EXECUTE_TEST_SUBREAPER"

func becomeSubreaper() {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		panic(err)
	}
}
