// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build race

package mongo_test

// documents is how many the pollers share: fewer, because SQLite in Go is slow
// under the race detector.
const documents = 1_000
