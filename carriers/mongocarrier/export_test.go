// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import "sync"

// ResetReports makes the next report of each kind the first again.
func ResetReports() { tooLarge, blocked, conflict = sync.Once{}, sync.Once{}, sync.Once{} }
