// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// files holds the lines of each file of a record by its path, with slashes.
type files map[string][]string

// load describes the importable packages of the modules in directories.
func load(modules []string) (files, error) {
	all := files{}
	prefix := ""
	for _, dir := range modules {
		loaded, err := packages.Load(&packages.Config{
			Mode: packages.NeedName | packages.NeedTypes | packages.NeedModule,
			Dir:  dir,
			Env:  append(os.Environ(), "GOOS=linux"), // The record is the same on every machine.
		}, "./...")
		if err != nil {
			return nil, err
		}
		for _, pkg := range loaded {
			if len(pkg.Errors) > 0 {
				return nil, fmt.Errorf("%s: %w", pkg.PkgPath, pkg.Errors[0])
			}
			if prefix == "" {
				prefix = pkg.Module.Path
			}
			if !importable(pkg) {
				continue
			}
			if lines := describe(pkg.Types); len(lines) > 0 {
				all[fileOf(prefix, pkg.PkgPath)] = append([]string{"package " + pkg.PkgPath}, lines...)
			}
		}
	}
	return all, nil
}

// importable reports whether a user of the module can import pkg.
func importable(pkg *packages.Package) bool {
	return pkg.Name != "main" && !slices.Contains(strings.Split(pkg.PkgPath, "/"), "internal")
}

// fileOf returns the file of a package in a record of the module prefix.
func fileOf(prefix, pkgPath string) string {
	if pkgPath == prefix {
		return path.Base(prefix) + ".txt"
	}
	return strings.TrimPrefix(pkgPath, prefix+"/") + ".txt"
}

// read reads the record in dir. A directory that does not exist is empty.
func read(dir string) (files, error) {
	all := files{}
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && file == dir {
			return fs.SkipAll
		}
		if err != nil || entry.IsDir() || filepath.Ext(file) != ".txt" {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, file)
		all[filepath.ToSlash(name)] = strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")), "\n")
		return err
	})
	return all, err
}

// save makes the record in dir equal to code.
func save(dir string, code files) error {
	kept, err := read(dir)
	if err != nil {
		return err
	}
	for name := range kept {
		if _, ok := code[name]; !ok {
			if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
				return err
			}
		}
	}
	for name, lines := range code {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare returns the lines that only one of kept and code has, below the name
// of their file.
func compare(kept, code files) []string {
	names := map[string]bool{}
	for _, side := range []files{kept, code} {
		for name := range side {
			names[name] = true
		}
	}
	var changes []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		lines := append(only("- ", kept[name], code[name]), only("+ ", code[name], kept[name])...)
		if len(lines) > 0 {
			slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
			changes = append(append(changes, name+":"), lines...)
		}
	}
	return changes
}

// only returns the lines that a has and b has not, marked.
func only(mark string, a, b []string) []string {
	other := map[string]bool{}
	for _, line := range b {
		other[line] = true
	}
	var lines []string
	for _, line := range a {
		if !other[line] {
			lines = append(lines, mark+line)
		}
	}
	return lines
}
