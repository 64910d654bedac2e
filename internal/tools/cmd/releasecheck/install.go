// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	modversion "golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// installOnce is install in a directory that is removed afterwards.
func (r *release) installOnce() (problems []string, err error) {
	scratch, err := os.MkdirTemp("", "releasecheck-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	return r.install(scratch)
}

// install gets the modules as users do, in the directory scratch, and returns what goes
// wrong. It builds every package of the libraries in a module of its own that requires
// them, and installs the programs into the directory bin of scratch.
//
// The modules come from a proxy in a directory, in the version to be tagged. So
// does whatever else they require, from the module cache, but into another cache:
// the real one must never hold a version that is not published.
func (r *release) install(scratch string) (problems []string, err error) {
	proxy, user := filepath.Join(scratch, "proxy"), filepath.Join(scratch, "user")
	for _, m := range r.modules {
		if err = r.publish(proxy, m); err != nil {
			return nil, err
		}
	}
	env, err := r.userEnv(scratch, proxy)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(user, 0o755); err != nil {
		return nil, err
	}
	for _, args := range r.userCommands() {
		if problem := runGo(user, env, args); problem != "" {
			return []string{problem}, nil
		}
	}
	return nil, nil
}

// runGo runs a go command of a user and says how it fails, if it does.
func runGo(dir string, env, args []string) (problem string) {
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = dir, env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Sprintf("a user's \"go %s\" fails:\n%s", strings.Join(args, " "), out)
	}
	return ""
}

// userCommands returns the arguments of the go commands by which users get the modules.
func (r *release) userCommands() [][]string {
	get, build := []string{"get"}, []string{"build"}
	var installs [][]string
	for _, m := range r.modules {
		if m.program {
			installs = append(installs, []string{"install", m.path() + "@" + r.version})
			continue
		}
		get = append(get, m.path()+"@"+r.version)
		build = append(build, m.path()+"/...")
	}
	return append([][]string{{"mod", "init", "example.com/user"}, get, build}, installs...)
}

// publish puts the module, as its commit has it, into the proxy.
// https://go.dev/ref/mod#goproxy-protocol
func (r *release) publish(proxy string, m module) error {
	escaped, err := modversion.EscapePath(m.path())
	if err != nil {
		return err
	}
	dir := filepath.Join(proxy, filepath.FromSlash(escaped), "@v")
	if err = os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	mod, err := r.goMod(m)
	if err != nil {
		return err
	}
	info := fmt.Sprintf(`{"Version":%q,"Time":%q}`, r.version, time.Now().UTC().Format(time.RFC3339))
	for ext, text := range map[string]string{".info": info, ".mod": mod} {
		if err = os.WriteFile(filepath.Join(dir, r.version+ext), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err = os.WriteFile(filepath.Join(dir, "list"), []byte(r.version+"\n"), 0o644); err != nil {
		return err
	}
	return r.zip(filepath.Join(dir, r.version+".zip"), m)
}

// zip writes the module, as its commit has it, to a zip file.
func (r *release) zip(name string, m module) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	version := modversion.Version{Path: m.path(), Version: r.version}
	return errors.Join(zip.CreateFromVCS(file, version, r.dir, m.commit, strings.TrimPrefix(m.dir, ".")), file.Close())
}

// userEnv returns the environment of a user who gets modules from proxy first.
func (r *release) userEnv(scratch, proxy string) ([]string, error) {
	out, err := exec.Command("go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	cache, proxies, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return append(os.Environ(),
		"GOMODCACHE="+filepath.Join(scratch, "modules"),
		"GOPROXY="+fileURL(proxy)+","+fileURL(filepath.Join(cache, "cache", "download"))+","+proxies,
		"GONOSUMDB="+r.modules[0].path(),
		"GOBIN="+filepath.Join(scratch, "bin"),
		"GOFLAGS=-modcacherw -mod=mod -trimpath", // Trimmed paths let builds share what is compiled.
		"GOWORK=off",
	), nil
}

func fileURL(dir string) string { return "file://" + filepath.ToSlash(dir) }
