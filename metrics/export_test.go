// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

// HeldBytes is what the memory gauge shows outside of Linux.
var HeldBytes = heldBytes
