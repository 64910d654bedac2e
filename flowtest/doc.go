// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package flowtest checks in a unit test that a flow through several services
// is one flow, with no server running.
package flowtest
