// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// memoryLimit reads the memory that this process may use. It reads it each time,
// because a limit may change while a process runs.
type memoryLimit struct {
	runtime func() int64    // The limit of the Go runtime.
	root    fs.FS           // The file system.
	files   func() []string // With the limits of the control groups.
}

func newMemoryLimit() *memoryLimit { return newMemoryLimitOf(runtimeLimit, os.DirFS("/")) }

func newMemoryLimitOf(runtime func() int64, root fs.FS) *memoryLimit {
	return &memoryLimit{runtime, root, sync.OnceValue(func() []string { return cgroupFiles(root) })}
}

// read puts the limit, if there is one.
func (l *memoryLimit) read(put put) {
	limit := min(l.runtime(), l.cgroupLimit())
	if limit != unlimited {
		put(series.MemoryLimit, float64(limit))
	}
}

// cgroupLimit returns the lowest limit of the control groups. A limit above the
// memory of the machine does not limit anything.
func (l *memoryLimit) cgroupLimit() int64 {
	limit := int64(unlimited)
	for _, file := range l.files() {
		limit = min(limit, parseLimit(readText(l.root, file)))
	}
	if limit > parseMachine(readText(l.root, "proc/meminfo")) {
		return unlimited
	}
	return limit
}

const (
	unlimited = math.MaxInt64
	// hugeLimit is where version 1 of control groups says that there is none: the
	// largest int64 that is a multiple of the size of a page, which differs.
	hugeLimit = 1 << 62
)

// runtimeLimit returns the limit of the Go runtime, which GOMEMLIMIT sets.
func runtimeLimit() int64 {
	limit := debug.SetMemoryLimit(-1)
	if limit <= 0 {
		return unlimited // It makes the runtime collect garbage all the time.
	}
	return limit
}

// parseLimit returns the limit in a file of a control group: a number of bytes, or
// "max".
func parseLimit(text string) int64 {
	limit, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || limit <= 0 || limit >= hugeLimit {
		return unlimited
	}
	return limit
}

// parseMachine returns the memory of the machine in /proc/meminfo, which has it in
// kibibytes on its first line: "MemTotal:       16384 kB".
func parseMachine(text string) int64 {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 2 || fields[0] != "MemTotal:" {
		return unlimited
	}
	kibibytes, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil || kibibytes <= 0 || kibibytes > unlimited>>10 {
		return unlimited
	}
	return kibibytes << 10
}

// cgroupFiles returns the files that may hold a limit of the memory of this process:
// those of its control groups, in version 1 and 2, and of all groups above them,
// because a process is killed when any of them exceeds its limit. See cgroups(7).
func cgroupFiles(root fs.FS) []string {
	var files []string
	mounts := parseMounts(readText(root, "proc/self/mountinfo"))
	for _, group := range parseCgroups(readText(root, "proc/self/cgroup")) {
		for _, mount := range mounts {
			if mount.file == group.file {
				files = append(files, mount.files(group.path)...)
			}
		}
	}
	return files
}

// The files with the limit of a control group, which tell its version.
const (
	limitFile1 = "memory.limit_in_bytes"
	limitFile2 = "memory.max"
)

// cgroup is a control group that may limit the memory of this process.
type cgroup struct{ file, path string }

// parseCgroups returns the control groups in /proc/self/cgroup. A line holds the
// number of a hierarchy, its controllers and a path, such as "4:memory:/jobs" in
// version 1, or "0::/jobs" in version 2.
func parseCgroups(text string) []cgroup {
	var groups []cgroup
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		switch {
		case len(fields) < 3:
		case fields[0] == "0" && fields[1] == "":
			groups = append(groups, cgroup{limitFile2, fields[2]})
		case hasMemory(fields[1]):
			groups = append(groups, cgroup{limitFile1, fields[2]})
		}
	}
	return groups
}

// hasMemory reports whether a list of controllers or options has memory.
func hasMemory(list string) bool { return slices.Contains(strings.Split(list, ","), "memory") }

// cgroupMount is where a hierarchy of control groups is seen, from one of them on.
type cgroupMount struct{ file, root, point string }

// parseMounts returns the hierarchies in /proc/self/mountinfo that have the memory.
// The fourth and fifth field of a line are the group and the directory; the type and
// the options follow a dash. See proc_pid_mountinfo(5).
func parseMounts(text string) []cgroupMount {
	var mounts []cgroupMount
	for line := range strings.Lines(text) {
		mount, filesystem, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(mount), strings.Fields(filesystem)
		if len(fields) < 5 || len(kind) < 3 {
			continue
		}
		switch m := (cgroupMount{root: unescape(fields[3]), point: unescape(fields[4])}); {
		case kind[0] == "cgroup2":
			m.file = limitFile2
			mounts = append(mounts, m)
		case kind[0] == "cgroup" && hasMemory(kind[2]):
			m.file = limitFile1
			mounts = append(mounts, m)
		}
	}
	return mounts
}

// unescape replaces the octal numbers by which mountinfo writes white space.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace

// files returns the file of a group and those of the groups above it that are seen.
func (m cgroupMount) files(group string) []string {
	point := path.Join("/", m.point)
	var files []string
	for directory := path.Join(point, m.relative(group)); ; directory = path.Dir(directory) {
		files = append(files, path.Join(directory, m.file)[1:])
		if directory == point || len(files) == maxCgroups {
			return files
		}
	}
}

// maxCgroups is how many groups above each other are looked at.
const maxCgroups = 64

// relative returns the path of a group from the root of m, or the root if the group
// is not below it, as for a process that was moved out of its container.
func (m cgroupMount) relative(group string) string {
	below, ok := strings.CutPrefix(group, strings.TrimSuffix(m.root, "/"))
	if !ok || !strings.HasPrefix(below, "/") || strings.Contains(below, "/..") {
		return "/"
	}
	return below
}

// readText returns the content of a file, or the empty string if it cannot be read.
func readText(root fs.FS, name string) string {
	content, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	return string(content)
}
