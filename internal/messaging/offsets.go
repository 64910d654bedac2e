// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"math"
	"slices"
)

// offsetSet is a set of offsets, kept as ranges. Where offsets come in runs, as
// those of a partition do, it holds few. It keeps at most maxRanges, and then
// forgets the lowest offsets. The zero value is empty.
type offsetSet struct{ ranges []offsetRange }

// offsetRange is the offsets from the first up to, but not including, the last.
type offsetRange struct{ from, to int64 }

const (
	maxRanges = 512
	forgotten = maxRanges / 4 // So many ranges are forgotten at once.
)

// isOffset reports whether offset is one that Kafka has.
func isOffset(offset int64) bool { return offset >= 0 && offset < math.MaxInt64 }

// add adds offset, and reports whether it is new.
func (s *offsetSet) add(offset int64) bool {
	last := len(s.ranges) - 1
	if last < 0 || offset > s.ranges[last].to {
		s.insert(last+1, offsetRange{offset, offset + 1})
		return true
	}
	if offset == s.ranges[last].to {
		s.ranges[last].to++
		return true
	}
	i := s.find(offset)
	if i < len(s.ranges) && s.ranges[i].from <= offset {
		return false
	}
	// The offset is before range i, and after the one before.
	follows := i > 0 && s.ranges[i-1].to == offset
	leads := s.ranges[i].from == offset+1
	switch {
	case follows && leads:
		s.ranges[i-1].to = s.ranges[i].to
		s.ranges = slices.Delete(s.ranges, i, i+1)
	case follows:
		s.ranges[i-1].to++
	case leads:
		s.ranges[i].from--
	default:
		s.insert(i, offsetRange{offset, offset + 1})
	}
	return true
}

func (s *offsetSet) insert(i int, r offsetRange) {
	if len(s.ranges) == maxRanges {
		s.ranges = slices.Delete(s.ranges, 0, forgotten)
		i = max(i-forgotten, 0)
	}
	s.ranges = slices.Insert(s.ranges, i, r)
}

// find returns the index of the first range that ends after offset.
func (s *offsetSet) find(offset int64) int {
	i, _ := slices.BinarySearchFunc(s.ranges, offset, func(r offsetRange, offset int64) int {
		if r.to <= offset {
			return -1
		}
		return 1
	})
	return i
}

// contains reports whether offset is in s.
func (s *offsetSet) contains(offset int64) bool {
	i := s.find(offset)
	return i < len(s.ranges) && s.ranges[i].from <= offset
}

// missing returns how many of the offsets in r are not in s.
func (s *offsetSet) missing(r offsetRange) int64 {
	n := r.to - r.from
	for _, have := range s.ranges[s.find(r.from):] {
		if have.from >= r.to {
			break
		}
		n -= min(have.to, r.to) - max(have.from, r.from)
	}
	return n
}

// next returns the offset after the highest, or 0 if s is empty.
func (s *offsetSet) next() int64 {
	if len(s.ranges) == 0 {
		return 0
	}
	return s.ranges[len(s.ranges)-1].to
}
