// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package mongocarrier carries a trace context in the documents of MongoDB, so
// that a flow goes on in the one who polls a collection or reads a change
// stream. It works with both drivers and imports neither.
package mongocarrier
