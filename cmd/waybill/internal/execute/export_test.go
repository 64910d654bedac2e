// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

// What the tests of package execute_test see of this package.
var (
	Redact = redact
	Flush  = flush
)

// Rows holds the counts of reports.
type Rows struct {
	Read, Wrote, Rejected, Malformed int64
	Reasons                          map[string]int64
}

// Scan returns what the lines in the chunks report.
func Scan(chunks ...[]byte) (counts Rows, held int) {
	var s rowsScanner
	for _, chunk := range chunks {
		_, _ = s.Write(chunk)
		held = max(held, len(s.line))
	}
	s.endLine()
	return Rows{s.read, s.wrote, s.rejected, s.malformed, s.reasons}, held
}

// LastLine returns the last line of the chunks.
func LastLine(chunks ...[]byte) string {
	var l lastLine
	for _, chunk := range chunks {
		_, _ = l.Write(chunk)
	}
	return l.text()
}
