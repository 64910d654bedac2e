// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package recording

// ReadLine is readLine, and ErrTooLong what it returns for a long line.
var (
	ReadLine   = readLine
	ErrTooLong = errTooLong
)
