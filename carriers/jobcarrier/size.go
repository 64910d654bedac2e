// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"unicode/utf8"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// fit returns what of e fits the limit of the preset, if there is one. sizeWith
// returns the size as JSON of the caller's own parameters together with fields. The
// error is ErrTooLarge if there is no room for any of e, or not even for the caller's
// own.
func (cfg *config) fit(e encoded, sizeWith func(encoded) int) (encoded, error) {
	if cfg.preset.maxJSON == 0 {
		return e, nil
	}
	fits := func(f propagation.Fields) bool {
		return sizeWith(encoded{Fields: f, values: e.values}) <= cfg.preset.maxJSON
	}
	fitting := encoded{Fields: e.ShrinkFunc(fits), values: e.values}
	if fitting.Len() < e.Len() {
		cfg.drop(observe.DropTooLarge)
	}
	if fitting.Len() == 0 && (e.Len() > 0 || !fits(propagation.Fields{})) {
		return fitting, ErrTooLarge
	}
	return fitting, nil
}

// sizeOfMap returns a function for the length as JSON of params to which fields are
// written under the names of the preset.
func sizeOfMap(params map[string]string, ps preset) func(encoded) int {
	own := 0
	for name, value := range params {
		own += memberSize(name, value)
	}
	return func(e encoded) int {
		size := own
		for i := range e.Len() {
			key := e.Key(i)
			for _, name := range ps.namesOf(key) {
				size += memberSize(name, e.value(key))
				if old, ok := params[name]; ok {
					size -= memberSize(name, old)
				}
			}
		}
		return inBrackets(size)
	}
}

// sizeOfList returns a function for the length as JSON of a list of flags, flags for
// fields, and operands.
func sizeOfList(flags, operands []string) func(encoded) int {
	own := 0
	for _, args := range [...][]string{flags, operands} {
		for _, arg := range args {
			own += len(`"",`) + textSize(arg)
		}
	}
	return func(e encoded) int {
		size := own
		for i := range e.Len() {
			key := e.Key(i)
			size += len(`"--=",`) + textSize(key) + textSize(e.value(key))
		}
		return inBrackets(size)
	}
}

// memberSize returns the length of a member of a JSON object and of the comma after
// it.
func memberSize(name, value string) int {
	return len(`"":"",`) + textSize(name) + textSize(value)
}

// inBrackets returns the length of a JSON object or array whose elements, each with
// a comma after it, have the given length.
func inBrackets(elements int) int { return max(len("{}"), len("{}")+elements-len(",")) }

// textSize returns the length of s in a JSON string, as package json writes it.
func textSize(s string) int {
	size := 0
	for i := 0; i < len(s); {
		r, width := utf8.DecodeRuneInString(s[i:])
		i += width
		switch {
		case r == '"' || r == '\\' || r == '\b' || r == '\f' || r == '\n' || r == '\r' || r == '\t':
			size += len(`\n`)
		case r < ' ' || r == '<' || r == '>' || r == '&' || r == '\u2028' || r == '\u2029' || r == utf8.RuneError && width == 1:
			size += len(`\u0000`)
		default:
			size += width
		}
	}
	return size
}
