// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest

import "reflect"

// The functions of this file replace the options WithNil, WithFork and WithRepeats
// for a carrier whose type is made of values: a map, or a pointer to a slice or to
// a struct without pointers. Other types may refer to their medium in any way.

// emptyOf returns a carrier of the type of sample that was never filled: a nil
// map, or a pointer to a zero value. It reports false if the type does not tell.
func emptyOf[C any](sample C) (C, bool) {
	v := reflect.ValueOf(sample)
	switch {
	case !v.IsValid():
	case v.Kind() == reflect.Map:
		return carrierOf[C](reflect.Zero(v.Type()))
	case isPointerToValues(v):
		return carrierOf[C](reflect.New(v.Type().Elem()))
	}
	return sample, false
}

// forkOf returns a copy of c by assignment, or of a map by a shallow clone.
func forkOf[C any](c C) (C, bool) {
	v := reflect.ValueOf(c)
	switch {
	case !v.IsValid():
	case v.Kind() == reflect.Map && !v.IsNil():
		fork := reflect.MakeMapWithSize(v.Type(), v.Len())
		for entry := v.MapRange(); entry.Next(); {
			fork.SetMapIndex(entry.Key(), entry.Value())
		}
		return carrierOf[C](fork)
	case isPointerToValues(v):
		fork := reflect.New(v.Type().Elem())
		fork.Elem().Set(v.Elem())
		return carrierOf[C](fork)
	}
	return c, false
}

// canRepeat reports whether repeat can fill a carrier of the type of sample: a map
// of slices of strings, or a pointer to a slice of structs of a string and
// another one, or bytes.
func canRepeat[C any](sample C) bool {
	v := reflect.ValueOf(sample)
	switch {
	case !v.IsValid():
		return false
	case v.Kind() == reflect.Map:
		return !v.IsNil() && v.Type().Key().Kind() == reflect.String && isStrings(v.Type().Elem())
	default:
		return isPointerToValues(v) && v.Type().Elem().Kind() == reflect.Slice && isPair(v.Type().Elem().Elem())
	}
}

// repeat puts values in the place of the only value of c, under the key that c
// wrote.
func repeat[C any](c C, values []string) {
	v := reflect.ValueOf(c)
	if v.Kind() == reflect.Map {
		for _, key := range v.MapKeys() {
			v.SetMapIndex(key, reflect.ValueOf(values).Convert(v.Type().Elem()))
		}
		return
	}
	list := v.Elem()
	one := reflect.New(list.Type().Elem()).Elem()
	one.Set(list.Index(0))
	list.SetZero()
	for _, value := range values {
		one.Field(1).Set(reflect.ValueOf(value).Convert(one.Field(1).Type()))
		list.Set(reflect.Append(list, one))
	}
}

func carrierOf[C any](v reflect.Value) (C, bool) { return reflect.TypeAssert[C](v) }

// isPointerToValues reports whether v is a pointer to something that is copied
// by assignment as far as its own memory goes.
func isPointerToValues(v reflect.Value) bool {
	return v.Kind() == reflect.Pointer && !v.IsNil() && isOfValues(v.Type().Elem())
}

func isOfValues(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return false
	case reflect.Array:
		return isOfValues(t.Elem())
	case reflect.Struct:
		for field := range t.Fields() {
			if !isOfValues(field.Type) {
				return false
			}
		}
	}
	return true
}

func isStrings(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String
}

// isPair reports whether t is a struct of an exported string and another string,
// or bytes.
func isPair(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || t.NumField() != 2 || !t.Field(0).IsExported() || !t.Field(1).IsExported() {
		return false
	}
	value := t.Field(1).Type
	return t.Field(0).Type.Kind() == reflect.String &&
		(value.Kind() == reflect.String || value.Kind() == reflect.Slice && value.Elem().Kind() == reflect.Uint8)
}
