// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

// fault is what is wrong with the ids of a span.
type fault int

// The faults.
const (
	lostParent  fault = iota + 1 // The parent was in this process and was not recorded.
	ownParent                    // The span names itself as parent.
	ownAncestor                  // The span is its own ancestor.
	sharedID                     // Another span has the same id.
)

// String returns what [Graph.Text] says of the span.
func (f fault) String() string {
	return [...]string{
		lostParent:  "local parent not recorded",
		ownParent:   "is its own parent",
		ownAncestor: "is its own ancestor",
		sharedID:    "shares its id",
	}[f]
}
