// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import "maps"

// Within lets inject add to m for a medium with room for maxKeys keys, such as
// the 10 attributes of an SQS message. If m would then hold more, it stays as
// it is, and Within reports false: all of a context goes, or nothing.
//
//	carriers.Within(m, 10, func(m map[string]string) {
//		propagation.InjectTextMap(ctx, carriers.Map(m))
//	})
//
// What inject gets is a copy of m. Keys that m has already count once, and none
// of its user's keys makes room. A nil m takes nothing. For a limit in bytes
// use propagation.WithMaxBytes, which leaves out what can best be spared.
func Within[M ~map[string]V, V any](m M, maxKeys int, inject func(m M)) bool {
	if m == nil || inject == nil {
		return false
	}
	trial := maps.Clone(m)
	inject(trial)
	if len(trial) > maxKeys {
		return false
	}
	clear(m)
	maps.Copy(m, trial)
	return true
}
