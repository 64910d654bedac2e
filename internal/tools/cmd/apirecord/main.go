// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command apirecord keeps a record of the exported API of modules, so that a
// commit that changes the API shows the change.
//
// Usage:
//
//	apirecord [-w] RECORD MODULE ...
//
// RECORD is the directory of the record, which has one text file for each
// importable package, with one line for each exported identifier. Each MODULE is
// the directory of a module; the paths of the files are relative to the path of
// the first one.
//
// apirecord prints the lines that differ, marked - in the record and + in the
// code, and exits with status 1 if there are any. With -w it rewrites the record
// instead. It exits with status 2 if a package does not compile.
//
// A text is compared, and not a released version, as apidiff and gorelease of
// golang.org/x/exp do, because the API changes in the commit and not at the
// release, because a reviewer reads the difference of a text without a tool, and
// because a new module has no version to be compared with.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) (status int) {
	flags := flag.NewFlagSet("apirecord", flag.ContinueOnError)
	flags.SetOutput(stderr)
	write := flags.Bool("w", false, "rewrite the record")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() < 2 {
		_, _ = fmt.Fprintln(stderr, "usage: apirecord [-w] RECORD MODULE ...")
		return 2
	}
	record, modules := flags.Arg(0), flags.Args()[1:]
	code, err := load(modules)
	if err == nil && *write {
		err = save(record, code)
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "apirecord:", err)
		return 2
	}
	if *write {
		return 0
	}
	kept, err := read(record)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "apirecord:", err)
		return 2
	}
	changes := compare(kept, code)
	if len(changes) == 0 {
		return 0
	}
	for _, change := range changes {
		_, _ = fmt.Fprintln(stdout, change)
	}
	_, _ = fmt.Fprintf(stderr, "apirecord: the exported API differs from the record in %s (- record, + code).\n"+
		"A line that is gone or changed breaks users. If the change is meant, run \"make api\", commit the record\n"+
		"with the code, and name the change in CHANGELOG.md.\n", record)
	return 1
}
