// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"database/sql"
	"testing"

	_ "modernc.org/sqlite" // The driver.
)

func carrySQL(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1) // Each connection has a database of its own.
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE outbox (id INTEGER, trace TEXT)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "INSERT INTO outbox VALUES (?, ?)", 1, CaptureColumn(ctx)); err != nil {
		t.Fatal(err)
	}
	var column sql.Null[string]
	if err := db.QueryRowContext(t.Context(), "SELECT trace FROM outbox").Scan(&column); err != nil {
		t.Fatal(err)
	}
	return ExtractColumn(t.Context(), column)
}

func TestColumnWithoutASpanIsNull(t *testing.T) {
	t.Parallel()
	value, err := CaptureColumn(t.Context()).Value()
	if value != nil || err != nil {
		t.Errorf("the value is %v, and the error %v", value, err)
	}
}

func TestColumnOfAnotherKindCarriesNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "null", "42", "{", `{"traceparent": 7}`, `{"traceparent": "00-XYZ"}`} {
		if got := ExtractColumn(t.Context(), sql.Null[string]{V: text, Valid: true}); got != t.Context() {
			t.Errorf("%q gives another context", text)
		}
	}
}
