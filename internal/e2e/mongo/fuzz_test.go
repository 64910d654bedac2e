// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongo_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
)

// everything is a document with a value of every type of BSON.
func everything(t testing.TB) bson.Raw {
	t.Helper()
	decimal, err := bson.ParseDecimal128("1.5")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := bson.Marshal(bson.D{
		{Key: "double", Value: 1.5},
		{Key: "string", Value: "text"},
		{Key: "document", Value: bson.D{{Key: "a", Value: 1}}},
		{Key: "array", Value: bson.A{1, "b"}},
		{Key: "binary", Value: bson.Binary{Subtype: 2, Data: []byte{1, 2}}},
		{Key: "undefined", Value: bson.Undefined{}},
		{Key: "id", Value: bson.NewObjectID()},
		{Key: "bool", Value: true},
		{Key: "time", Value: time.Unix(1, 0)},
		{Key: "null", Value: nil},
		{Key: "regex", Value: bson.Regex{Pattern: "a", Options: "i"}},
		{Key: "pointer", Value: bson.DBPointer{DB: "db", Pointer: bson.NewObjectID()}},
		{Key: "code", Value: bson.JavaScript("f()")},
		{Key: "symbol", Value: bson.Symbol("s")},
		{Key: "scope", Value: bson.CodeWithScope{Code: "f()", Scope: bson.D{{Key: "x", Value: 1}}}},
		{Key: "int32", Value: int32(1)},
		{Key: "timestamp", Value: bson.Timestamp{T: 1, I: 2}},
		{Key: "int64", Value: int64(1)},
		{Key: "decimal", Value: decimal},
		{Key: "min", Value: bson.MinKey{}},
		{Key: "max", Value: bson.MaxKey{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The walk over bytes agrees with the driver, and the driver
// accepts what is written.
func FuzzInjectRaw(f *testing.F) {
	whole := everything(f)
	f.Add([]byte(whole))
	for n := range whole {
		if n%7 == 0 {
			f.Add([]byte(whole[:n]))
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte) { checkAgainstDriver(t, doc) })
}

func checkAgainstDriver(t *testing.T, doc []byte) {
	t.Helper()
	ctx := spanCtx(t, traceparentA)
	before := slices.Clone(doc)
	got, err := mongocarrier.InjectRaw(ctx, bson.Raw(slices.Clone(doc)), mongocarrier.WithPropagation(w3c()))
	var decoded bson.D
	decodeErr := bson.Unmarshal(doc, &decoded)
	if err != nil {
		if !errors.Is(err, mongocarrier.ErrMalformed) || !bytes.Equal(got, before) {
			t.Fatalf("%q became %q with %v", before, got, err)
		}
		if decodeErr == nil && bson.Raw(doc).Validate() == nil {
			t.Fatalf("the driver takes %q: %v", before, err)
		}
		return
	}
	if decodeErr != nil {
		return // malformed in a nested document, which nobody walks.
	}
	if err := got.Validate(); err != nil {
		t.Fatalf("%q became %q: %v", before, got, err)
	}
	var after bson.D
	if err := bson.Unmarshal(got, &after); err != nil {
		t.Fatalf("%q became %q: %v", before, got, err)
	}
	check(t, "written", mongocarrier.ReadRaw(got, mongocarrier.WithPropagation(w3c())))
	if diff := cmp.Diff(without(decoded), without(after)); diff != "" {
		t.Fatalf("the elements of the user: %s", diff)
	}
}

// without returns the elements of the user as text, which makes NaN equal.
func without(doc bson.D) []string {
	var out []string
	for _, e := range doc {
		if e.Key == mongocarrier.DefaultField {
			continue
		}
		text, err := bson.MarshalExtJSON(bson.D{e}, true, false)
		if err != nil {
			text = []byte(err.Error())
		}
		out = append(out, string(text))
	}
	return out
}

func TestInjectRaw_EveryPrefixAgainstTheDriver(t *testing.T) {
	t.Parallel()
	whole := everything(t)
	for n := range len(whole) + 1 {
		checkAgainstDriver(t, whole[:n])
	}
	for i := range whole {
		for _, b := range []byte{0, 1, 0x7f, 0xff, whole[i] ^ 0x20} {
			broken := slices.Clone(whole)
			broken[i] = b
			checkAgainstDriver(t, broken)
		}
	}
}
