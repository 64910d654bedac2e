// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

// What the tests of package envcarrier_test see of this package.
var (
	Holds    = holds
	SameName = sameName
)
