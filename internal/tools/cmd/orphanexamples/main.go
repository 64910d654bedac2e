// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command orphanexamples finds examples that documentation shows nowhere.
//
// An example belongs to what its name says: ExampleT_M to method M of type T.
// go vet accepts a name it finds in any imported package, but go doc and its
// sites show an example only with an exported identifier of its own package.
//
// Usage:
//
//	orphanexamples [directory ...]
//
// It looks at every package in and below the directories, by default the
// current one, prints one line for each orphan, and exits with status 1 if
// there was one and with status 2 if a package could not be read.
package main

import (
	"fmt"
	"os"
)

func main() {
	dirs := os.Args[1:]
	if len(dirs) == 0 {
		dirs = []string{"."}
	}
	status := 0
	for _, dir := range dirs {
		orphans, err := find(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, "orphanexamples:", err)
			os.Exit(2)
		}
		for _, o := range orphans {
			fmt.Println(o)
			status = 1
		}
	}
	os.Exit(status)
}
