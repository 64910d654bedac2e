// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"sync"

	"github.com/waybill-go/waybill/internal/bounded"
	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
)

const (
	// otherValue stands for all values of a label beyond its limit.
	otherValue = observe.ErrorTypeOther
	// maxValueBytes is the longest value of a label that users fill.
	maxValueBytes = 128
)

// limited holds what belongs to each value of one label that users fill.
type limited[T any] struct {
	values   *bounded.Map[T]
	other    func() T
	overflow counter
}

// newLimited returns an empty limited that creates what belongs to a value with
// create, once. The value that create is given is a valid label value.
func newLimited[T any](m *Metrics, label string, create func(value string) T) *limited[T] {
	return &limited[T]{
		values:   bounded.NewMap(m.config.labelLimit, func(value string) T { return create(valid(value)) }),
		other:    sync.OnceValue(func() T { return create(otherValue) }),
		overflow: m.overflows[label],
	}
}

// with returns what belongs to value, or to all values beyond the limit.
func (l *limited[T]) with(value string) T {
	if value == otherValue {
		return l.other()
	}
	if len(value) <= maxValueBytes {
		if known, ok := l.values.Get(value); ok {
			return known
		}
	}
	l.overflow.Inc()
	return l.other()
}

// valid returns value as a label value, which must be UTF-8.
func valid(value string) string { return safe.Text(value, safe.MaxName) }
