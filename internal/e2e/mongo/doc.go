// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package mongo tests mongocarrier with both drivers and with servers: one in
// this process, or the one that MONGODB_URI names, and with the tag e2e one that
// has change streams.
package mongo
