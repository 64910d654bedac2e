// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/internal/bounded"
)

const (
	// otherValue stands for all values of a label beyond its limit.
	otherValue = "_other_"
	// maxValueBytes is the longest value of a label that users fill.
	maxValueBytes = 128
)

// limited holds what belongs to each value of one label that users fill.
type limited[T any] struct {
	values   *bounded.Map[T]
	other    func() T
	overflow prometheus.Counter
}

// newLimited makes what belongs to a value with create, which runs once for
// each. The value is a valid label value.
func newLimited[T any](m *Metrics, label string, create func(value string) T) *limited[T] {
	return &limited[T]{
		values:   bounded.NewMap(m.config.labelLimit, func(value string) T { return create(valid(value)) }),
		other:    sync.OnceValue(func() T { return create(otherValue) }),
		overflow: m.overflows[label],
	}
}

// with returns what belongs to value, or to all beyond the limit.
func (l *limited[T]) with(value string) T {
	if len(value) <= maxValueBytes {
		if known, ok := l.values.Get(value); ok {
			return known
		}
	}
	l.overflow.Inc()
	return l.other()
}

// valid returns value as a label value, which must be UTF-8.
func valid(value string) string {
	return strings.ToValidUTF8(value, "\uFFFD")
}
