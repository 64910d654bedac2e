// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package mongo_test

// documents is how many the pollers share.
const documents = 10_000
