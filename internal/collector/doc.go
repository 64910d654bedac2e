// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package collector tests the collector configurations of docs/collector with the
// collector's own processors. It is a module of its own, because of them.
package collector
