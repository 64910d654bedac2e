// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import "unicode"

// Columns returns how many columns of a terminal s takes.
func Columns(s string) int {
	n := 0
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}

// wide are the scripts whose characters take two columns, and the blocks of their
// punctuation, of full-width forms and of pictures.
// https://www.unicode.org/reports/tr11/
var (
	wideScripts = []*unicode.RangeTable{unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Yi}
	wideBlocks  = &unicode.RangeTable{
		R16: []unicode.Range16{{Lo: 0x2e80, Hi: 0x303e, Stride: 1}, {Lo: 0x3041, Hi: 0x33ff, Stride: 1}, {Lo: 0xfe30, Hi: 0xfe6f, Stride: 1}, {Lo: 0xff01, Hi: 0xff60, Stride: 1}, {Lo: 0xffe0, Hi: 0xffe6, Stride: 1}},
		R32: []unicode.Range32{{Lo: 0x1f300, Hi: 0x1f64f, Stride: 1}, {Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1}, {Lo: 0x1f900, Hi: 0x1f9ff, Stride: 1}},
	}
	halfWidth = &unicode.RangeTable{R16: []unicode.Range16{{Lo: 0xff61, Hi: 0xffdc, Stride: 1}}}
)

func columnsOf(r rune) int {
	const firstCombining, firstWide = 0x300, 0x1100
	switch {
	case r < firstCombining:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r < firstWide || unicode.Is(halfWidth, r):
		return 1
	case unicode.In(r, wideScripts...) || unicode.Is(wideBlocks, r):
		return 2
	default:
		return 1
	}
}

// clipColumns makes s one line that takes at most limit columns.
func clipColumns(s string, limit int) string {
	column, end := 0, 0
	for i, r := range s {
		if column < limit { // Room for an ellipsis.
			end = i
		}
		if column += columnsOf(r); column > limit {
			return Clip(s[:end], len(s)) + "…"
		}
	}
	return Clip(s, len(s)+1)
}
