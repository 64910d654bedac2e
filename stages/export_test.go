// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

// What the tests of package stages_test see of this package.
var (
	ResourceFrom   = resourceFrom
	WithoutSecrets = withoutSecrets
)
