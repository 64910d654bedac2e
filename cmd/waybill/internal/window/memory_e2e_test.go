// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package window_test

import "testing"

// Millions of spans take no more memory than the first ones.
func TestWindow_BoundedMemory_Millions(t *testing.T) { testMemory(t, 3_000_000) }
