// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ready is a repository that v0.2.0 can be released from.
func ready() map[string]string {
	return map[string]string{
		"go.mod":                  "module example.com/lib\n\ngo 1.26\n",
		"lib.go":                  "package lib\n\nfunc New() int { return 1 }\n",
		"internal/scope/scope.go": "package scope\n\nconst Version = \"0.2.0\"\n",
		"CHANGELOG.md":            "# Changelog\n\n## [0.2.0] - 2026-12-01\n\n## [0.1.0] - 2026-11-01\n",
		"sub/go.mod":              "module example.com/lib/sub\n\ngo 1.26\n\nrequire example.com/lib v0.2.0\n\nreplace example.com/lib => ../\n",
		"sub/sub.go":              "package sub\n\nimport \"example.com/lib\"\n\nvar Value = lib.New()\n",
		"cmd/go.mod":              "module example.com/lib/cmd\n\ngo 1.26\n\nrequire example.com/lib v0.2.0\n\nreplace example.com/lib => ../\n",
		"cmd/main.go":             "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.New()) }\n",
	}
}

func TestRun_PrintsTheTagsThatAreLeftInOrder(t *testing.T) {
	t.Parallel()
	dir := newRepository(t, ready())
	left := []string{
		"git tag -s -m v0.2.0 v0.2.0 HEAD && git push origin v0.2.0",
		"git tag -s -m sub/v0.2.0 sub/v0.2.0 HEAD && git push origin sub/v0.2.0",
		"git tag -s -m cmd/v0.2.0 cmd/v0.2.0 COMMIT && git push origin cmd/v0.2.0",
	}
	for i, tag := range []string{"v0.2.0", "sub/v0.2.0", "cmd/v0.2.0"} {
		printed := mustRun(t, 0, dir)
		commit := programCommit(t, printed)
		want := "v0.2.0 can be tagged, in this order:\n  " + strings.Join(left[i:], "\n  ") + "\n"
		if got := strings.ReplaceAll(printed, commit, "COMMIT"); got != want {
			t.Errorf("before the tag %s it prints\n%s\nwant\n%s", tag, got, want)
		}
		if tag != "cmd/v0.2.0" {
			commit = "HEAD"
		}
		git(t, dir, "tag", tag, commit)
	}
	if got, want := mustRun(t, 0, dir), "v0.2.0 is tagged.\n"; got != want {
		t.Errorf("after the last tag it prints %q, want %q", got, want)
	}
}

func TestRun_ProgramIsTaggedWithoutReplace(t *testing.T) {
	t.Parallel()
	dir := newRepository(t, ready())
	commit := programCommit(t, mustRun(t, 0, dir))
	if again := programCommit(t, mustRun(t, 0, dir)); again != commit {
		t.Errorf("a second check makes the commit %s, want %s", again, commit)
	}
	const wantMod = "module example.com/lib/cmd\n\ngo 1.26\n\nrequire example.com/lib v0.2.0\n"
	if got := git(t, dir, "show", commit+":cmd/go.mod"); got != wantMod {
		t.Errorf("its go.mod is\n%s\nwant\n%s", got, wantMod)
	}
	wantSum := regexp.MustCompile(`^example\.com/lib v0\.2\.0 h1:\S{44}\nexample\.com/lib v0\.2\.0/go\.mod h1:\S{44}\n$`)
	if got := git(t, dir, "show", commit+":cmd/go.sum"); !wantSum.MatchString(got) {
		t.Errorf("its go.sum is\n%s", got)
	}
	if got, want := git(t, dir, "diff", "--name-status", "HEAD", commit), "M\tcmd/go.mod\nA\tcmd/go.sum\n"; got != want {
		t.Errorf("it differs from HEAD in\n%s\nwant\n%s", got, want)
	}
	if got := git(t, dir, "status", "--porcelain"); got != "" {
		t.Errorf("the work tree was changed:\n%s", got)
	}
}

// programCommit returns the commit that the tag of the program is printed with.
func programCommit(t *testing.T, printed string) string {
	t.Helper()
	found := regexp.MustCompile(`cmd/\S+ ([0-9a-f]{40}) &&`).FindStringSubmatch(printed)
	if found == nil {
		t.Fatalf("no commit of the program is printed:\n%s", printed)
	}
	return found[1]
}

func TestRun_ReportsWhatIsMissing(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files map[string]string // Replace those of ready; an empty one is removed.
		tags  []string
		after map[string]string // Written after the commit.
		want  string
	}{
		"scope of the last version": {
			files: map[string]string{"internal/scope/scope.go": "package scope\n\nconst Version = \"0.1.0\"\n"},
			want:  `internal/scope/scope.go has the version "0.1.0"; want "0.2.0"`,
		},
		"heading without a date": {
			files: map[string]string{"CHANGELOG.md": "# Changelog\n\n## [0.2.0] - Unreleased\n"},
			want:  `the newest heading of CHANGELOG.md is "## [0.2.0] - Unreleased"; want "## [0.2.0] - YYYY-MM-DD"`,
		},
		"heading of the last version": {
			files: map[string]string{"CHANGELOG.md": "# Changelog\n\n## [0.1.0] - 2026-11-01\n"},
			want:  `the newest heading of CHANGELOG.md is "## [0.1.0] - 2026-11-01"; want "## [0.2.0] - YYYY-MM-DD"`,
		},
		"no heading": {
			files: map[string]string{"CHANGELOG.md": "# Changelog\n"},
			want:  `the newest heading of CHANGELOG.md is ""; want "## [0.2.0] - YYYY-MM-DD"`,
		},
		"requirement of no version": {
			files: map[string]string{"sub/go.mod": "module example.com/lib/sub\n\ngo 1.26\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ../\n"},
			want:  "sub/go.mod requires example.com/lib v0.0.0; want v0.2.0 (go mod edit -require=example.com/lib@v0.2.0 sub/go.mod)",
		},
		"requirement against the order": {
			files: map[string]string{"go.mod": "module example.com/lib\n\ngo 1.26\n\nrequire example.com/lib/sub v0.2.0\n"},
			want:  "./go.mod requires example.com/lib/sub, which is tagged after it",
		},
		"replacement that users lack": {
			files: map[string]string{"go.mod": "module example.com/lib\n\ngo 1.26\n\nreplace example.com/x => ./x\n"},
			want:  "./go.mod replaces example.com/x, which its users do not",
		},
		"uncommitted change": {
			after: map[string]string{"new.go": "package lib\n"},
			want:  "not everything is committed:\n?? new.go",
		},
		"tag against the order": {
			tags: []string{"sub/v0.2.0"},
			want: "the tag sub/v0.2.0 exists, and the tag v0.2.0, which comes before it, does not",
		},
		"tag of another commit": {
			tags:  []string{"v0.2.0"},
			files: map[string]string{},
			after: map[string]string{"commit": ""},
			want:  "the tag v0.2.0 is not at HEAD, but at ",
		},
		"tag of a program at HEAD": {
			tags: []string{"v0.2.0", "sub/v0.2.0", "cmd/v0.2.0"},
			want: "the tag cmd/v0.2.0 is not at ",
		},
		"program that users cannot install": {
			files: map[string]string{"cmd/main.go": "package main\n\nimport \"example.com/lib\"\n\nfunc main() { lib.Missing() }\n"},
			want:  "a user's \"go install example.com/lib/cmd@v0.2.0\" fails:\n",
		},
		"program that replaces what users lack": {
			files: map[string]string{"cmd/go.mod": "module example.com/lib/cmd\n\ngo 1.26\n\nrequire example.com/lib v0.2.0\n\nreplace (\n\texample.com/lib => ../\n\texample.com/x => ../x\n)\n"},
			want:  "cmd/go.mod replaces example.com/x, which its users do not",
		},
		"package that users cannot build": {
			files: map[string]string{"sub/sub.go": "package sub\n\nimport \"example.com/lib\"\n\nvar Value = lib.Missing()\n"},
			want:  "a user's \"go build example.com/lib/... example.com/lib/sub/...\" fails:\n# example.com/lib/sub\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := ready()
			maps.Copy(files, tt.files)
			dir := newRepository(t, files)
			for _, tag := range tt.tags {
				git(t, dir, "tag", tag)
			}
			if _, ok := tt.after["commit"]; ok {
				git(t, dir, "commit", "--quiet", "--allow-empty", "-m", "more")
			} else {
				writeFiles(t, dir, tt.after)
			}
			if got := mustRun(t, 1, dir); !strings.HasPrefix(got, "releasecheck: "+tt.want) {
				t.Errorf("it prints\n%s\nwant\nreleasecheck: %s", got, tt.want)
			}
		})
	}
}

func TestRun_RefusesWhatItCannotCheck(t *testing.T) {
	t.Parallel()
	dir := newRepository(t, ready())
	for name, args := range map[string][]string{
		"no arguments":      {},
		"no version":        {dir, "", "."},
		"not a version":     {dir, "0.2.0", "."},
		"version cut short": {dir, "v0.2", "."},
		"no such module":    {dir, "v0.2.0", ".", "none"},
		"no repository":     {t.TempDir(), "v0.2.0", "."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireStatus(t, 2, args)
		})
	}
}

// mustRun checks v0.2.0 of the modules in dir, and returns what is printed.
func mustRun(t *testing.T, want int, dir string) string {
	t.Helper()
	return requireStatus(t, want, []string{dir, "v0.2.0", ".", "sub", "cmd"})
}

// requireStatus runs the command and returns what it prints.
func requireStatus(t *testing.T, want int, args []string) string {
	t.Helper()
	var printed strings.Builder
	if got := run(args, &printed, &printed); got != want {
		t.Fatalf("releasecheck %q exits with %d, want %d:\n%s", args, got, want, printed.String())
	}
	return printed.String()
}

// newRepository commits files to a new repository.
func newRepository(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, files)
	git(t, dir, "init", "--quiet")
	git(t, dir, "add", "--all")
	git(t, dir, "commit", "--quiet", "-m", "first")
	return dir
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// git runs git in dir and returns what it prints.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	config := []string{
		"-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgSign=false", "-c", "tag.gpgSign=false",
	}
	cmd := exec.Command("git", append(config, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return string(out)
}
