// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command releasecheck reports what is missing before a version of several
// modules of one repository can be tagged, and prints the tags in their order.
//
// Usage:
//
//	releasecheck REPOSITORY VERSION MODULE ...
//
// REPOSITORY is the directory of the repository. Each MODULE is the directory of
// a module in it, in the order of the tags: a module follows those that it
// requires, and the first one is the root, ".".
//
// The version in internal/scope, the newest heading of CHANGELOG.md, and what the
// modules require of each other must be VERSION. Nothing may be uncommitted, and
// no module may be tagged before one that it requires. At last, releasecheck
// builds every package of the libraries and installs the programs as a user does,
// from a module proxy that has VERSION of them.
//
// A module whose root is a command is a program. It is tagged at a commit that
// releasecheck makes, whose go.mod has no replace directive: "go install" refuses
// one. releasecheck exits with status 1 if VERSION cannot be tagged, and
// with status 2 if it cannot be checked.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) (status int) {
	if len(args) < 3 || args[1] == "" {
		_, _ = fmt.Fprintln(stderr, "usage: releasecheck REPOSITORY VERSION MODULE ... (make release-check VERSION=v0.1.0)")
		return 2
	}
	r, err := open(args[0], args[1], args[2:])
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "releasecheck:", err)
		return 2
	}
	problems, err := r.check()
	if err == nil && len(problems) == 0 {
		problems, err = r.installOnce()
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "releasecheck:", err)
		return 2
	}
	for _, problem := range problems {
		_, _ = fmt.Fprintln(stderr, "releasecheck:", problem)
	}
	if len(problems) > 0 {
		return 1
	}
	_, _ = fmt.Fprint(stdout, r.next())
	return 0
}
