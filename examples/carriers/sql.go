// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"database/sql"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// CaptureColumn returns the context of ctx as the value of a JSON column, or NULL if
// there is none. For the column tracingspancontext, which Debezium reads, use
// carriers.Properties instead of carriers.JSON.
func CaptureColumn(ctx context.Context) sql.Null[string] {
	var column sql.Null[string]
	propagation.InjectTextMap(ctx, carriers.JSON(&column.V), propagation.WithoutBaggage())
	column.Valid = column.V != ""
	return column
}

// ExtractColumn returns ctx with the context in column.
func ExtractColumn(ctx context.Context, column sql.Null[string]) context.Context {
	return propagation.ExtractTextMap(ctx, carriers.JSON(&column.V))
}
