// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// orphan is an example that documentation attaches to nothing.
type orphan struct {
	File string
	Line int
	Name string // The name of the function, such as "ExampleReader_Close".
}

// String reports the orphan as a compiler reports an error.
func (o orphan) String() string {
	return fmt.Sprintf("%s:%d: %s is the example of no exported identifier", o.File, o.Line, o.Name)
}

// find returns the orphans of every package in and below root, in the order of
// their files. Like the go command it passes over testdata, vendor and names
// that begin with a dot or an underscore.
func find(root string) ([]orphan, error) {
	var all []orphan
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if path != root && ignored(entry.Name()) {
			return fs.SkipDir
		}
		found, err := inPackage(path)
		all = append(all, found...)
		return err
	})
	return all, err
}

func ignored(name string) bool {
	return name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// inPackage returns the orphans of the package in dir, in the order of their
// names, if there is a package.
func inPackage(dir string) ([]orphan, error) {
	pkg, err := build.ImportDir(dir, 0)
	if noGo := (*build.NoGoError)(nil); errors.As(err, &noGo) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}

	fset := token.NewFileSet()
	code, err := parse(fset, dir, slices.Concat(pkg.GoFiles, pkg.CgoFiles))
	if err != nil {
		return nil, err
	}
	tests, err := parse(fset, dir, slices.Concat(pkg.TestGoFiles, pkg.XTestGoFiles))
	if err != nil {
		return nil, err
	}
	examples := doc.Examples(tests...)
	documented, err := doc.NewFromFiles(fset, slices.Concat(code, tests), pkg.Name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}

	shown := shownIn(documented)
	var orphans []orphan
	for _, example := range examples {
		if !shown[example.Name] {
			position := fset.Position(example.Code.Pos())
			orphans = append(orphans, orphan{position.Filename, position.Line, "Example" + example.Name})
		}
	}
	return orphans, nil
}

func parse(fset *token.FileSet, dir string, names []string) ([]*ast.File, error) {
	files := make([]*ast.File, len(names))
	for i, name := range names {
		file, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files[i] = file
	}
	return files, nil
}

// shownIn returns the names, without "Example", of the examples that go/doc
// attaches to pkg or to something it exports.
func shownIn(pkg *doc.Package) map[string]bool {
	shown := map[string]bool{}
	add := func(examples []*doc.Example) {
		for _, example := range examples {
			shown[example.Name] = true
		}
	}
	add(pkg.Examples)
	for _, f := range pkg.Funcs {
		add(f.Examples)
	}
	for _, t := range pkg.Types {
		add(t.Examples)
		for _, f := range slices.Concat(t.Funcs, t.Methods) {
			add(f.Examples)
		}
	}
	return shown
}
