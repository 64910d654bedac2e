// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/sumdb/dirhash"
)

// commit sets the commit of each module.
//
// That is HEAD for a library. "go install" of a version refuses a program whose go.mod
// has a replace directive, so a program is tagged at a commit of its own: a child of
// HEAD, on no branch, that removes the directive and adds the sums of the modules that
// it replaced. The commit depends on HEAD and the version only, so each check makes the
// same one.
func (r *release) commit() error {
	head, err := r.git("rev-parse", "HEAD")
	if err != nil {
		return err
	}
	for i := range r.modules {
		m := &r.modules[i]
		m.commit = head
		if m.program && len(m.mod.Replace) > 0 {
			if m.commit, err = r.commitProgram(*m); err != nil {
				return fmt.Errorf("the commit of %s: %w", m.dir, err)
			}
		}
	}
	return nil
}

// commitProgram makes the commit of a program, without a change to the work tree.
func (r *release) commitProgram(m module) (string, error) {
	mod, err := r.withoutReplace(m)
	if err != nil {
		return "", err
	}
	sum, err := r.withSums(m)
	if err != nil {
		return "", err
	}
	scratch, err := os.MkdirTemp("", "releasecheck-index-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	index := []string{"GIT_INDEX_FILE=" + filepath.Join(scratch, "index")}
	if _, err = r.gitWith(index, "", "read-tree", "HEAD"); err != nil {
		return "", err
	}
	for name, text := range map[string]string{"go.mod": mod, "go.sum": sum} {
		var blob string
		if blob, err = r.gitWith(nil, text, "hash-object", "-w", "--stdin"); err != nil {
			return "", err
		}
		if _, err = r.gitWith(index, "", "update-index", "--add", "--cacheinfo", "100644,"+blob+","+m.dir+"/"+name); err != nil {
			return "", err
		}
	}
	tree, err := r.gitWith(index, "", "write-tree")
	if err != nil {
		return "", err
	}
	signed, err := r.signature()
	if err != nil {
		return "", err
	}
	message := m.dir + ": require the released modules of this repository\n\ngo install refuses a version whose go.mod has a replace directive.\n"
	return r.gitWith(signed, message, "commit-tree", "-p", "HEAD", tree)
}

// withoutReplace returns the go.mod of m at HEAD without its replace directives.
func (r *release) withoutReplace(m module) (string, error) {
	text, err := r.git("show", "HEAD:"+m.dir+"/go.mod")
	if err != nil {
		return "", err
	}
	mod, err := modfile.Parse(m.dir+"/go.mod", []byte(text), nil)
	if err != nil {
		return "", err
	}
	for _, replace := range mod.Replace {
		if err = mod.DropReplace(replace.Old.Path, replace.Old.Version); err != nil {
			return "", err
		}
	}
	mod.Cleanup()
	formatted, err := mod.Format()
	return string(formatted), err
}

// withSums returns the go.sum of m at HEAD with the sums of the modules that its go.mod
// replaces, in the version to be tagged.
func (r *release) withSums(m module) (string, error) {
	tracked, err := r.git("ls-tree", "--name-only", "HEAD", m.dir+"/go.sum")
	if err != nil {
		return "", err
	}
	lines := []string{}
	if tracked != "" {
		text, err := r.git("show", "HEAD:"+tracked)
		if err != nil {
			return "", err
		}
		lines = strings.Split(text, "\n")
	}
	for _, other := range r.modules {
		if !m.replaces(other) {
			continue
		}
		sums, err := r.sums(other)
		if err != nil {
			return "", err
		}
		lines = append(lines, sums...)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n", nil
}

// replaces reports whether the go.mod of m replaces other.
func (m module) replaces(other module) bool {
	return slices.ContainsFunc(m.mod.Replace, func(replace *modfile.Replace) bool { return replace.Old.Path == other.path() })
}

// sums returns the lines of a go.sum for m.
func (r *release) sums(m module) ([]string, error) {
	scratch, err := os.MkdirTemp("", "releasecheck-sums-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	file := filepath.Join(scratch, "module.zip")
	if err = r.zip(file, m); err != nil {
		return nil, err
	}
	all, err := dirhash.HashZip(file, dirhash.Hash1)
	if err != nil {
		return nil, err
	}
	text, err := r.goMod(m)
	if err != nil {
		return nil, err
	}
	mod, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil })
	if err != nil {
		return nil, err
	}
	return []string{
		fmt.Sprintf("%s %s %s", m.path(), r.version, all),
		fmt.Sprintf("%s %s/go.mod %s", m.path(), r.version, mod),
	}, nil
}

// goMod returns the go.mod of m, in its commit.
func (r *release) goMod(m module) (string, error) {
	text, err := r.git("show", m.commit+":"+strings.TrimPrefix(m.dir+"/go.mod", "./"))
	return text + "\n", err
}

// signature returns the environment in which a commit has the author and the time of
// HEAD.
func (r *release) signature() (env []string, err error) {
	head, err := r.git("log", "-1", "--format=%an%n%ae%n%aI%n%cn%n%ce%n%cI", "HEAD")
	if err != nil {
		return nil, err
	}
	values := strings.Split(head, "\n")
	for i, name := range []string{
		"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_DATE",
	} {
		env = append(env, name+"="+values[i])
	}
	return env, nil
}
