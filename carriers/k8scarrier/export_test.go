// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

// Unescape is exported for the tests of its growth.
var Unescape = unescape
