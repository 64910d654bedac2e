// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package carriers puts a trace context on the messages of real clients with
// the generic carriers of waybill: a file each, to copy from and not to import.
//
// An Inject function never changes a map that others may hold, such as the
// headers of a message that was received: the message gets a copy. Without a
// span in ctx it writes nothing. An Extract function returns ctx itself when it
// finds nothing, and never fails.
//
// What each medium allows, and who else writes there, is in docs/carriers.md.
package carriers
