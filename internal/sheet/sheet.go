// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package sheet lets a carrier take all that an inject writes at once, where a
// call for each field would cost more than the fields.
package sheet

// Sheet is what one inject writes in the formats of package propagation. A text
// that is empty is not written.
type Sheet struct {
	Cleared []string // The keys to clear first; nil for a Sheet that was not filled. Read only.

	Fixed       [55 + 37]byte // A traceparent and a waybill, one after the other.
	Traceparent int           // The length of the one,
	Waybill     int           // and of the other.

	Tracestate string
	Baggage    string
}

// Setter is an accessor whose carrier has a Sheet, which an inject fills instead
// of setting and deleting. It does so only in the formats of package
// propagation.
type Setter[C any] interface {
	Sheet(carrier C) *Sheet
}
