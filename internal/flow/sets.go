// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

// sets is a union-find structure over the numbers 0 to len(parent)-1.
type sets struct{ parent []int }

// newSets returns n sets of one number each.
func newSets(n int) *sets {
	s := &sets{parent: make([]int, n)}
	for i := range s.parent {
		s.parent[i] = i
	}
	return s
}

// grow adds a set of one number and returns the number.
func (s *sets) grow() int {
	s.parent = append(s.parent, len(s.parent))
	return len(s.parent) - 1
}

// find returns the number that stands for the set of i.
func (s *sets) find(i int) int {
	for s.parent[i] != i {
		s.parent[i] = s.parent[s.parent[i]]
		i = s.parent[i]
	}
	return i
}

// union joins the sets of a and b; that of b stands for both.
func (s *sets) union(a, b int) { s.parent[s.find(a)] = s.find(b) }
