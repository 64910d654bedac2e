// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

// Diff is diff, for its fuzz test.
var Diff = diff

// WithMaxReceived sets the number of spans of other processes that are kept.
func WithMaxReceived(n int) Option {
	return optionFunc(func(c config) config {
		c.maxReceived = n
		return c
	})
}
