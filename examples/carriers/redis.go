// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// InjectRedis writes the context of ctx to the entry that args adds to a stream. Its
// values must be a map, or a []any of fields and values without a context.
func InjectRedis(ctx context.Context, args *redis.XAddArgs) {
	switch values := args.Values.(type) {
	case map[string]any:
		entry := carriers.AnyMap(maps.Clone(values))
		propagation.InjectTextMap(ctx, entry)
		args.Values = map[string]any(entry)
	case []any:
		values = slices.Clip(values)
		for key, value := range propagation.Map(ctx) {
			values = append(values, key, value)
		}
		args.Values = values
	}
}

// ExtractRedis returns ctx with the context of entry.
func ExtractRedis(ctx context.Context, entry redis.XMessage) context.Context {
	return propagation.ExtractTextMap(ctx, carriers.AnyMap(entry.Values))
}
