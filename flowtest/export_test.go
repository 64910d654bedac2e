// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

// Diff is diff, for its fuzz test.
var Diff = diff
