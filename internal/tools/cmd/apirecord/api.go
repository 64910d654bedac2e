// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/types"
	"slices"
	"strings"
)

// describe returns the exported API of pkg, one sorted line for each identifier,
// field and method.
func describe(pkg *types.Package) []string {
	d := &describer{pkg: pkg}
	for _, name := range pkg.Scope().Names() {
		if object := pkg.Scope().Lookup(name); object.Exported() {
			d.object(object)
		}
	}
	slices.Sort(d.lines)
	return d.lines
}

// describer collects the lines of one package.
type describer struct {
	pkg   *types.Package
	lines []string
}

func (d *describer) add(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// qualifier names other packages by their name, and pkg not at all.
func (d *describer) qualifier(other *types.Package) string {
	if other == d.pkg {
		return ""
	}
	return other.Name()
}

func (d *describer) object(object types.Object) {
	switch object := object.(type) {
	case *types.Const:
		d.add("const %s %s = %s", object.Name(), d.typeOf(object), object.Val().ExactString())
	case *types.Var:
		d.add("var %s %s", object.Name(), d.typeOf(object))
	case *types.Func:
		d.add("%s", types.ObjectString(object, d.qualifier))
	case *types.TypeName:
		d.typeName(object)
	}
}

func (d *describer) typeOf(object types.Object) string {
	return types.TypeString(object.Type(), d.qualifier)
}

// typeName describes a type, what it is made of, and its methods.
func (d *describer) typeName(object *types.TypeName) {
	if object.IsAlias() {
		d.add("%s", types.ObjectString(object, d.qualifier))
		return
	}
	named := object.Type()
	head := "type " + types.TypeString(named, d.qualifier)
	switch underlying := named.Underlying().(type) {
	case *types.Struct:
		d.structType(head, underlying)
	case *types.Interface:
		d.interfaceType(head, underlying)
		return
	default:
		d.add("%s %s", head, types.TypeString(underlying, d.qualifier))
	}
	d.methods(named)
}

func (d *describer) structType(head string, s *types.Struct) {
	d.add("%s struct", head)
	if !types.Comparable(s) {
		d.add("%s struct, not comparable", head)
	}
	for field := range s.Fields() {
		switch {
		case field.Exported() && field.Embedded():
			d.add("%s struct, embedded %s", head, d.typeOf(field))
		case field.Exported():
			d.add("%s struct, %s %s", head, field.Name(), d.typeOf(field))
		}
	}
}

func (d *describer) interfaceType(head string, i *types.Interface) {
	d.add("%s interface", head)
	if !i.IsMethodSet() {
		d.add("%s interface, constraint %s", head, types.TypeString(i, d.qualifier))
	}
	for method := range i.Methods() {
		if method.Exported() {
			d.add("%s interface, %s%s", head, method.Name(), d.signature(method))
		} else {
			d.add("%s interface, sealed", head)
		}
	}
	d.lines = slices.Compact(d.lines)
}

// methods describes the methods of a type, those that are promoted from embedded
// fields included.
func (d *describer) methods(named types.Type) {
	values := types.NewMethodSet(named)
	for method := range types.NewMethodSet(types.NewPointer(named)).Methods() {
		f, ok := method.Obj().(*types.Func)
		if !ok || !f.Exported() {
			continue
		}
		receiver := "*"
		if values.Lookup(f.Pkg(), f.Name()) != nil {
			receiver = ""
		}
		d.add("method (%s%s) %s%s", receiver, types.TypeString(named, d.qualifier), f.Name(), d.signature(f))
	}
}

// signature returns the parameters and results of f.
func (d *describer) signature(f *types.Func) string {
	return strings.TrimPrefix(types.TypeString(f.Type(), d.qualifier), "func")
}
