// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The limits of what a command reports.
const (
	maxRowsLine = 1 << 10 // Bytes of a line.
	maxReasons  = 64      // Others are counted as otherReason.
	maxReason   = 128     // Bytes.
	otherReason = "_OTHER"
)

// rowsPrefix begins a line that reports rows:
//
//	::rows read=12 wrote=10 rejected=2 reason="no amount"
const rowsPrefix = "::rows "

// rows is what a command reported. A count does not overflow.
type rows struct {
	read, wrote, rejected int64
	reasons               map[string]int64 // The rejected rows, by reason; "" for those without.
	malformed             int64            // Lines that began as a report.
}

// add adds what line reports, all of it or nothing.
func (r *rows) add(line string) {
	counts, reason, ok := parseRows(line)
	if !ok {
		r.malformed++
		return
	}
	r.read = sum(r.read, counts["read"])
	r.wrote = sum(r.wrote, counts["wrote"])
	if n := counts["rejected"]; n > 0 {
		r.reject(reason, n)
	}
}

func (r *rows) reject(reason string, n int64) {
	r.rejected = sum(r.rejected, n)
	if r.reasons == nil {
		r.reasons = map[string]int64{}
	}
	if _, known := r.reasons[reason]; !known && len(r.reasons) >= maxReasons {
		reason = otherReason
	}
	r.reasons[reason] = sum(r.reasons[reason], n)
}

// merge adds what other holds.
func (r *rows) merge(other *rows) {
	r.read = sum(r.read, other.read)
	r.wrote = sum(r.wrote, other.wrote)
	r.malformed = sum(r.malformed, other.malformed)
	for _, reason := range slices.Sorted(maps.Keys(other.reasons)) {
		r.reject(reason, other.reasons[reason])
	}
}

func sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// parseRows reads a line that begins with rowsPrefix. Every field must be known, and
// be there once; at least one is a count.
func parseRows(line string) (counts map[string]int64, reason string, ok bool) {
	counts = map[string]int64{}
	hasReason := false
	rest, _ := strings.CutPrefix(line, rowsPrefix)
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		var key, value string
		key, rest, ok = strings.Cut(rest, "=")
		if !ok {
			return nil, "", false
		}
		if value, rest, ok = cutValue(rest); !ok {
			return nil, "", false
		}
		switch key {
		case "read", "wrote", "rejected":
			n, err := strconv.ParseUint(value, 10, 63)
			if _, twice := counts[key]; err != nil || twice {
				return nil, "", false
			}
			counts[key] = int64(n) //nolint:gosec // It has 63 bits.
		case "reason":
			if hasReason || len(value) > maxReason {
				return nil, "", false
			}
			reason, hasReason = strings.ToValidUTF8(value, "�"), true
		default:
			return nil, "", false
		}
	}
	return counts, reason, len(counts) > 0
}

// cutValue cuts the value of a field off text: a quoted text, as in Go, or a word.
func cutValue(text string) (value, rest string, ok bool) {
	if quoted, err := strconv.QuotedPrefix(text); err == nil {
		value, err = strconv.Unquote(quoted)
		rest = text[len(quoted):]
		return value, rest, err == nil && (rest == "" || rest[0] == ' ' || rest[0] == '\t')
	}
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		return text[:i], text[i:], true
	}
	return text, "", true
}

// rowsScanner is a writer that adds up the lines that report rows. It holds at most
// the beginning of one line.
type rowsScanner struct {
	rows

	line    []byte
	skipped bool // The rest of the line is no report.
}

// Write implements io.Writer; it never fails.
func (s *rowsScanner) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		part := p
		if end >= 0 {
			part = p[:end]
		}
		s.hold(part)
		if end < 0 {
			break
		}
		s.endLine()
		p = p[end+1:]
	}
	return n, nil
}

// hold keeps part of a line, if the line may be a report.
func (s *rowsScanner) hold(part []byte) {
	if s.skipped {
		return
	}
	if room := maxRowsLine - len(s.line); len(part) > room {
		part = part[:room]
		s.skipped = true
	}
	s.line = append(s.line, part...)
	if k := min(len(s.line), len(rowsPrefix)); string(s.line[:k]) != rowsPrefix[:k] {
		s.line, s.skipped = s.line[:0], true
	}
}

// endLine ends the line that is held.
func (s *rowsScanner) endLine() {
	if len(s.line) >= len(rowsPrefix) {
		if s.skipped {
			s.malformed++ // Too long.
		} else {
			s.add(string(s.line))
		}
	}
	s.line, s.skipped = s.line[:0], false
}

// lastLine is a writer that keeps the last line that is not blank, or its beginning.
type lastLine struct {
	line, last []byte
}

// Write implements io.Writer; it never fails.
func (l *lastLine) Write(p []byte) (int, error) {
	for part := range bytes.Lines(p) {
		text, ended := bytes.CutSuffix(part, []byte{'\n'})
		l.line = append(l.line, text[:min(len(text), max(0, maxRowsLine-len(l.line)))]...)
		if ended {
			l.endLine()
		}
	}
	return len(p), nil
}

func (l *lastLine) endLine() {
	if len(bytes.TrimSpace(l.line)) > 0 {
		l.last = append(l.last[:0], bytes.TrimSpace(l.line)...)
	}
	l.line = l.line[:0]
}

// text returns the line.
func (l *lastLine) text() string {
	l.endLine()
	return strings.ToValidUTF8(string(l.last), "�")
}
