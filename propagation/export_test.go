// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

// OpenJournal opens a journal in a file for so many lines, and returns a function that
// writes an entry to it.
func OpenJournal(name string, room int64) (write func(*JournalEntry), err error) {
	f, err := openJournal(name, room)
	return f.write, err
}
