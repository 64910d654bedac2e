// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package languages_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long a program may take, on a machine that tests several modules
// at once.
const patience = 2 * time.Minute

// program is a service in another language, as a command line without arguments.
type program struct {
	command []string
	env     []string
}

// peer returns the program in a language, with the packages that deps.sh installs.
func peer(t *testing.T, language string) program {
	t.Helper()
	peers, cache := absolute(t, "peers"), absolute(t, "../../../.cache/e2e")
	if _, err := os.Stat(filepath.Join(cache, language, "from")); err != nil {
		t.Fatalf("the packages of %s are missing: run `make e2e-deps`", language)
	}
	cache = filepath.Join(cache, language)
	switch language {
	case "python":
		return program{command: []string{filepath.Join(cache, "bin", "python"), filepath.Join(peers, "python", "peer.py")}}
	case "node":
		return program{
			command: []string{"node", filepath.Join(peers, "node", "peer.js")},
			env:     []string{"NODE_PATH=" + filepath.Join(cache, "node_modules")},
		}
	default:
		agents, err := filepath.Glob(filepath.Join(cache, "lib", "opentelemetry-javaagent-*.jar"))
		if err != nil || len(agents) != 1 {
			t.Fatalf("the agents are %q, %v", agents, err)
		}
		return program{command: []string{
			"java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-javaagent:" + agents[0],
			"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
			"-cp", filepath.Join(cache, "lib", "*") + string(os.PathListSeparator) + cache, "Peer",
		}}
	}
}

// run runs the program until it ends by itself, with success.
func (p program) run(t *testing.T, env []string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.command[0], slices.Concat(p.command[1:], args)...)
	cmd.Env = slices.Concat(cmd.Environ(), p.env, env)
	cmd.WaitDelay = time.Second // A child may hold its output.
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(p.command[0]), strings.Join(args, " "), err, out)
	}
}

func absolute(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
