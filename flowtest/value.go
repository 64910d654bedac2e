// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"fmt"
	"math"
	"reflect"

	"go.opentelemetry.io/otel/attribute"
)

// plain returns v in the type that [attribute.Value.AsInterface] returns.
func plain(v any) any {
	if value, ok := v.(attribute.Value); ok {
		return value.AsInterface()
	}
	value := reflect.ValueOf(v)
	switch {
	case !value.IsValid():
		return nil
	case value.Kind() == reflect.String:
		return value.String()
	case value.Kind() == reflect.Bool:
		return value.Bool()
	case value.CanInt():
		return value.Int()
	case value.CanUint() && value.Uint() <= math.MaxInt64:
		return int64(value.Uint())
	case value.CanFloat():
		return value.Float()
	case value.Kind() == reflect.Slice:
		return plainSlice(value)
	}
	return v
}

func plainSlice(value reflect.Value) any {
	if value.Type().Elem().Kind() == reflect.Uint8 {
		return value.Bytes()
	}
	elem := reflect.TypeOf(plain(reflect.Zero(value.Type().Elem()).Interface()))
	if elem == nil {
		return value.Interface()
	}
	slice := reflect.MakeSlice(reflect.SliceOf(elem), 0, value.Len())
	for i := range value.Len() {
		slice = reflect.Append(slice, reflect.ValueOf(plain(value.Index(i).Interface())))
	}
	return slice.Interface()
}

// show formats a value for a message.
func show(v any) string { return fmt.Sprintf("%#v", v) }

// differs describes that what has the value got and not want. It is empty if they
// are equal.
func differs[T comparable](what string, got, want T) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf("has %s %v; want %v", what, got, want)
}
