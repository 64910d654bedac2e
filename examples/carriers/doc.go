// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package carriers writes a trace context to the messages of other clients, with
// the generic carriers of waybill. It has one file for each client, to be copied and
// not to be imported.
//
// Inject functions do not modify a map or a list that may be shared, such as the
// headers of a received message: they give the message a copy. Extract functions
// never fail; if there is no valid context, they return ctx.
//
// The limits of each medium are in docs/carriers.md.
package carriers
