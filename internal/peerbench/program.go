// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// program stands in for the test that package server starts a server for. It
// has only what that uses.
type program struct {
	testing.TB

	cleanups []func()
}

func (p *program) Helper()                      {}
func (p *program) Cleanup(f func())             { p.cleanups = append(p.cleanups, f) }
func (p *program) Fatal(args ...any)            { panic(fmt.Sprint(args...)) }
func (p *program) Fatalf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }
func (p *program) Errorf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }

func (p *program) TempDir() string {
	dir, err := os.MkdirTemp("", "peerbench-")
	if err != nil {
		panic(err)
	}
	p.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// end undoes what was done, the last first.
func (p *program) end() {
	for _, f := range slices.Backward(p.cleanups) {
		f()
	}
}
