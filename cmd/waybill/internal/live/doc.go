// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package live joins spans into flows while they arrive, and serves a page that shows
// them.
//
// Spans are kept as they were sent: the few fields that join them and say how they
// ended are read at once, and the rest only when a flow is shown, examined or saved.
package live
