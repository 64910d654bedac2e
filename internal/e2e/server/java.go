// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// java is the program name with a folder of the cache that deps.sh fills.
type java struct {
	program string
	folder  string
}

// requireJava returns the java of the server name, which must be installed.
func requireJava(t testing.TB, name string) java {
	t.Helper()
	program, err := exec.LookPath("java")
	if err != nil {
		t.Fatal("java is missing: run `make e2e-deps`, which says how to install it")
	}
	folder := filepath.Join(cacheDir(t), name)
	if _, err := os.Stat(filepath.Join(folder, "from")); err != nil {
		t.Fatalf("%s is missing: run `make e2e-deps`", name)
	}
	return java{program: program, folder: folder}
}

// command returns the command line that runs class.
func (j java) command(class string, args ...string) []string {
	classPath := filepath.Join(j.folder, "lib", "*") + string(os.PathListSeparator) + j.folder
	line := []string{
		j.program, "-Xmx512m",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp", classPath, class,
	}
	return append(line, args...)
}

// cacheDir returns the folder that `make e2e-deps` fills: .cache/e2e of the
// repository around the working directory.
func cacheDir(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "internal", "e2e", "deps.sh")); err == nil {
			return filepath.Join(dir, ".cache", "e2e")
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("the working directory is not in the repository")
		}
		dir = parent
	}
}
