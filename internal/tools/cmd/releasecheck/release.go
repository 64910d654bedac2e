// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// release is a version that modules of one repository are to be tagged with.
type release struct {
	dir     string
	version string
	modules []module
}

// module is one of them.
type module struct {
	dir     string // Relative to the repository, with slashes; "." for the root.
	mod     *modfile.File
	program bool   // Reports whether users install it, as a command.
	commit  string // What is to be tagged.
}

// path returns the import path of the module.
func (m module) path() string { return m.mod.Module.Mod.Path }

// tag returns the tag of version of the module.
func (m module) tag(version string) string {
	if m.dir == "." {
		return version
	}
	return m.dir + "/" + version
}

// revision names the commit that is to be tagged.
func (m module) revision() string {
	if m.program {
		return m.commit
	}
	return "HEAD"
}

// open reads the modules of the repository in dir.
func open(dir, version string, modules []string) (*release, error) {
	if semver.Canonical(version) != version {
		return nil, fmt.Errorf("%q is not a version; want one such as v0.1.0", version)
	}
	r := &release{dir: dir, version: version}
	for _, m := range modules {
		file := filepath.Join(dir, m, "go.mod")
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		mod, err := modfile.Parse(file, text, nil)
		if err != nil {
			return nil, err
		}
		program, err := isProgram(filepath.Join(dir, m))
		if err != nil {
			return nil, err
		}
		r.modules = append(r.modules, module{dir: filepath.ToSlash(m), mod: mod, program: program})
	}
	return r, nil
}

// isProgram reports whether the package in dir is a command.
func isProgram(dir string) (bool, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		return false, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), files[0], nil, parser.PackageClauseOnly)
	return err == nil && file.Name.Name == "main", err
}

// check returns what is wrong with the files and the tags.
func (r *release) check() (problems []string, err error) {
	if err := r.commit(); err != nil {
		return nil, err
	}
	for _, check := range []func() ([]string, error){r.checkScope, r.checkChangelog, r.checkRequirements, r.checkTree, r.checkTags} {
		found, err := check()
		if err != nil {
			return nil, err
		}
		problems = append(problems, found...)
	}
	return problems, nil
}

var scopeVersion = regexp.MustCompile(`(?m)^const Version = "(.*)"$`)

// checkScope compares the version that instrumentation scopes have.
func (r *release) checkScope() ([]string, error) {
	const name = "internal/scope/scope.go"
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		return nil, err
	}
	got := ""
	if match := scopeVersion.FindSubmatch(text); match != nil {
		got = string(match[1])
	}
	if want := strings.TrimPrefix(r.version, "v"); got != want {
		return []string{fmt.Sprintf("%s has the version %q; want %q", name, got, want)}, nil
	}
	return nil, nil
}

var (
	changelogHeading = regexp.MustCompile(`(?m)^## .*$`)
	datedHeading     = regexp.MustCompile(`^## \[(.+)\] - (\d{4}-\d{2}-\d{2})$`)
)

// checkChangelog compares the newest heading of the changelog, which must have a
// date.
func (r *release) checkChangelog() ([]string, error) {
	const name = "CHANGELOG.md"
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		return nil, err
	}
	heading := string(changelogHeading.Find(text))
	match := datedHeading.FindStringSubmatch(heading)
	if want := strings.TrimPrefix(r.version, "v"); match == nil || match[1] != want {
		return []string{fmt.Sprintf("the newest heading of %s is %q; want \"## [%s] - YYYY-MM-DD\"", name, heading, want)}, nil
	}
	return nil, nil
}

// checkRequirements compares what the modules require of each other, and refuses
// what users of a module would not get.
func (r *release) checkRequirements() (problems []string, err error) {
	for i, m := range r.modules {
		for _, require := range m.mod.Require {
			at := slices.IndexFunc(r.modules, func(other module) bool { return other.path() == require.Mod.Path })
			switch {
			case at < 0:
			case at >= i:
				problems = append(problems, fmt.Sprintf("%s/go.mod requires %s, which is tagged after it", m.dir, require.Mod.Path))
			case require.Mod.Version != r.version:
				problems = append(problems, fmt.Sprintf("%[1]s/go.mod requires %[2]s %[3]s; want %[4]s (go mod edit -require=%[2]s@%[4]s %[1]s/go.mod)",
					m.dir, require.Mod.Path, require.Mod.Version, r.version))
			}
		}
		for _, replace := range m.mod.Replace {
			if !slices.ContainsFunc(r.modules[:i], func(other module) bool { return other.path() == replace.Old.Path }) {
				problems = append(problems, fmt.Sprintf("%s/go.mod replaces %s, which its users do not", m.dir, replace.Old.Path))
			}
		}
	}
	return problems, nil
}

// checkTree refuses changes that no commit has.
func (r *release) checkTree() ([]string, error) {
	changed, err := r.git("status", "--porcelain")
	if err != nil || changed == "" {
		return nil, err
	}
	return []string{"not everything is committed:\n" + changed}, nil
}

// checkTags compares the tags there are with the commits and with their order.
func (r *release) checkTags() (problems []string, err error) {
	missing := ""
	for _, m := range r.modules {
		tag := m.tag(r.version)
		at, err := r.git("rev-parse", "--quiet", "--verify", "refs/tags/"+tag+"^{commit}")
		switch {
		case err != nil:
			missing = tag // Git says nothing else of a tag that does not exist.
		case at != m.commit:
			problems = append(problems, fmt.Sprintf("the tag %s is not at %s, but at %s", tag, m.revision(), at))
		case missing != "":
			problems = append(problems, fmt.Sprintf("the tag %s exists, and the tag %s, which comes before it, does not", tag, missing))
		}
	}
	return problems, nil
}

// next returns the commands that are left to do.
func (r *release) next() string {
	var b strings.Builder
	for _, m := range r.modules {
		tag := m.tag(r.version)
		if _, err := r.git("rev-parse", "--quiet", "--verify", "refs/tags/"+tag); err != nil {
			fmt.Fprintf(&b, "  git tag -s -m %[1]s %[1]s %[2]s && git push origin %[1]s\n", tag, m.revision())
		}
	}
	if b.Len() == 0 {
		return r.version + " is tagged.\n"
	}
	return r.version + " can be tagged, in this order:\n" + b.String()
}

// git runs git in the repository and returns what it prints.
func (r *release) git(args ...string) (string, error) { return r.gitWith(nil, "", args...) }

// gitWith is git with more environment and a standard input.
func (r *release) gitWith(env []string, stdin string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimRight(string(out), "\n"), nil
}
