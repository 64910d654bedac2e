// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !cgo

package carriers

// cgoClients returns the clients that need cgo.
func cgoClients() []client { return nil }
