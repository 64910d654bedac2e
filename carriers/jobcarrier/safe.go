// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/waybill-go/waybill/observe"
)

// The characters, besides letters and digits, that no known way from a parameter
// to a process changes: neither a shell with double or single quotes, nor
// kubelet, templates, JSON or a properties file. Every other character is unsafe,
// because whoever wrote the context that is passed on could have it expanded or
// run.
const (
	safeInValues = " %*+,-./:;=@_~"
	safeInNames  = " -._"
	safeInFlags  = "-._"
)

// maxArgument is the length of the longest value under any preset: half of what
// Linux accepts as one argument or variable of a process.
const maxArgument = 64 << 10

// encode returns the text to write for the value of key, or the reason why there is
// none. In baggage an unsafe character may be percent-encoded; any other value is
// opaque.
func (ps preset) encode(key, value string) (text, reason string) {
	limit, marks := cmp.Or(ps.maxValue, maxArgument), ps.opaqueMarks
	if !ps.hasSafeNames(key) {
		return "", observe.DropUnsafe
	}
	if len(value) > limit {
		return "", observe.DropTooLarge
	}
	if strings.EqualFold(key, keyBaggage) {
		marks = ps.baggageMarks
		value = encodeBaggage(value, func(b byte) bool { return ps.isSafe(rune(b), marks) })
	}
	switch {
	case !ps.isSafeValue(value, marks):
		return "", observe.DropUnsafe
	case len(value) > limit:
		return "", observe.DropTooLarge
	default:
		return value, ""
	}
}

// encodeArgument is encode for a value that is written as a flag.
func (ps preset) encodeArgument(key, value string) (text, reason string) {
	if text, reason = ps.encode(key, value); reason != "" {
		return "", reason
	}
	isMore := func(r rune) bool { return ps.asciiArguments && r > unicode.MaxASCII }
	if strings.ContainsFunc(key, isUnsafeBeside(safeInFlags)) || strings.ContainsFunc(text, isMore) {
		return "", observe.DropUnsafe
	}
	return text, ""
}

// hasSafeNames reports whether the names of key hold only safe characters.
func (ps preset) hasSafeNames(key string) bool {
	marks := ps.nameMarks
	if marks == "" {
		marks = safeInNames
	}
	isUnsafe := isUnsafeBeside(marks)
	if ps.names == nil {
		return !strings.ContainsFunc(key, isUnsafe)
	}
	return !slices.ContainsFunc(ps.names(key), func(name string) bool { return strings.ContainsFunc(name, isUnsafe) })
}

// isSafeValue reports whether value holds only safe characters. White space at
// either end is unsafe, because some services remove it.
func (ps preset) isSafeValue(value, marks string) bool {
	for _, r := range value {
		if !ps.isSafe(r, marks) {
			return false
		}
	}
	return !strings.HasPrefix(value, " ") && !strings.HasSuffix(value, " ") &&
		(ps.refused == "" || !strings.Contains(value, ps.refused))
}

// isSafe reports whether r is safe in a value: a letter, a digit, one of
// safeInValues or one of marks, or of the only marks of the preset.
func (ps preset) isSafe(r rune, marks string) bool {
	if r > unicode.MaxASCII {
		return !ps.ascii && (unicode.IsLetter(r) || unicode.IsDigit(r))
	}
	if ps.onlyMarks != "" {
		return isAlphanumeric(r) || strings.ContainsRune(ps.onlyMarks, r)
	}
	return isSafeASCII[r] || strings.ContainsRune(marks, r)
}

// isSafeASCII reports for each ASCII character whether it is safe in a value.
var isSafeASCII = func() (table [unicode.MaxASCII + 1]bool) {
	for r := range rune(len(table)) {
		table[r] = isAlphanumeric(r) || strings.ContainsRune(safeInValues, r)
	}
	return table
}()

// encodeBaggage returns a baggage in whose values each unsafe byte is
// percent-encoded, if it is one that baggage may hold. Names have no encoding.
// https://www.w3.org/TR/baggage/#definition
func encodeBaggage(baggage string, isSafe func(byte) bool) string {
	var out strings.Builder
	inValue, from := false, 0
	for i := range len(baggage) {
		b := baggage[i]
		if !inValue || b < '!' || b > '~' || isSafe(b) {
			inValue = b == '=' || inValue && b != ',' && b != ';'
			continue
		}
		if from == 0 {
			out.Grow(i + len("%XX")*(len(baggage)-i))
		}
		out.WriteString(baggage[from:i])
		fmt.Fprintf(&out, "%%%02X", b)
		from = i + 1
	}
	if from == 0 {
		return baggage
	}
	out.WriteString(baggage[from:])
	return out.String()
}

// isUnsafeBeside returns a function that reports whether a character is neither
// an ASCII letter nor a digit nor one of marks.
func isUnsafeBeside(marks string) func(r rune) bool {
	return func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune(marks, r) }
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
