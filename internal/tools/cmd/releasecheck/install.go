// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	modversion "golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// install builds every package of the modules in a module of its own that
// requires them, and returns what goes wrong.
//
// The modules come from a proxy in a directory, in the version to be tagged. So
// does whatever else they require, from the module cache, but into another cache:
// the real one must never hold a version that is not published.
func (r *release) install() (problems []string, err error) {
	scratch, err := os.MkdirTemp("", "releasecheck-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
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
	get, build := []string{"get"}, []string{"build"}
	for _, m := range r.modules {
		get = append(get, m.path()+"@"+r.version)
		build = append(build, m.path()+"/...")
	}
	for _, args := range [][]string{{"mod", "init", "example.com/user"}, get, build} {
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = user, env
		if out, err := cmd.CombinedOutput(); err != nil {
			return []string{fmt.Sprintf("a user's \"go %s\" fails:\n%s", strings.Join(args, " "), out)}, nil
		}
	}
	return nil, nil
}

// publish puts the module, as HEAD has it, into the proxy.
// https://go.dev/ref/mod#goproxy-protocol
func (r *release) publish(proxy string, m module) error {
	version := modversion.Version{Path: m.path(), Version: r.version}
	escaped, err := modversion.EscapePath(version.Path)
	if err != nil {
		return err
	}
	dir := filepath.Join(proxy, filepath.FromSlash(escaped), "@v")
	if err = os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	mod, err := r.git("show", "HEAD:"+strings.TrimPrefix(m.dir+"/go.mod", "./"))
	if err != nil {
		return err
	}
	info := fmt.Sprintf(`{"Version":%q,"Time":%q}`, r.version, time.Now().UTC().Format(time.RFC3339))
	for ext, text := range map[string]string{".info": info, ".mod": mod + "\n"} {
		if err = os.WriteFile(filepath.Join(dir, r.version+ext), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err = os.WriteFile(filepath.Join(dir, "list"), []byte(r.version+"\n"), 0o644); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(dir, r.version+".zip"))
	if err != nil {
		return err
	}
	err = zip.CreateFromVCS(file, version, r.dir, "HEAD", strings.TrimPrefix(m.dir, "."))
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
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
		"GOFLAGS=-modcacherw -mod=mod",
		"GOWORK=off",
	), nil
}

func fileURL(dir string) string { return "file://" + filepath.ToSlash(dir) }
