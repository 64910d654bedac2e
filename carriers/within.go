// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import "maps"

// Within calls inject to add to m, for a medium with room for maxKeys keys, such
// as the 10 attributes of an SQS message. If m would then have more keys, it
// stays as it is and Within returns false: a context is written whole or not at
// all.
//
//	carriers.Within(m, 10, func(m map[string]string) {
//		propagation.InjectTextMap(ctx, carriers.Map(m))
//	})
//
// inject is called with a copy of m. The caller's own keys are never removed to
// make room. If m or inject is nil, Within does nothing and returns false. For a
// limit in bytes use propagation.WithMaxBytes.
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
