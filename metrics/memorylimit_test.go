// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"math"
	"path"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/metrics"
)

// The lines of mountinfo of control groups as container runtimes and systemd make
// them.
const (
	mountV2        = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	mountV1        = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:15 - cgroup cgroup rw,memory\n"
	mountCPU       = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
	mountContainer = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro,relatime master:15 - cgroup cgroup rw,memory\n"
	mountHybrid    = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	mountSpace     = `30 23 0:26 / /my\040groups rw - cgroup2 cgroup2 rw` + "\n"
	mountDisk      = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
)

const (
	noRuntimeLimit = math.MaxInt64
	noLimitV1      = "9223372036854771712\n" // With pages of 4 KiB.
)

func TestMetrics_MemoryLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		runtime int64
		cgroup  string            // Of the process.
		mounts  string            // Of the process.
		files   map[string]string // By path.
		want    float64           // 0 for no series.
	}{
		{name: "not Linux", runtime: noRuntimeLimit},
		{name: "GOMEMLIMIT only", runtime: 1 << 20, want: 1 << 20},
		{
			name: "version 2 in a container", runtime: noRuntimeLimit, cgroup: "0::/\n", mounts: mountDisk + mountV2,
			files: map[string]string{"sys/fs/cgroup/memory.max": "1048576\n"}, want: 1048576,
		},
		{
			name: "version 2 without a limit", runtime: noRuntimeLimit, cgroup: "0::/\n", mounts: mountV2,
			files: map[string]string{"sys/fs/cgroup/memory.max": "max\n"},
		},
		{
			name: "version 2, nested, the limit is in the leaf", runtime: noRuntimeLimit, cgroup: "0::/system.slice/etl.service\n", mounts: mountV2,
			files: map[string]string{
				"sys/fs/cgroup/system.slice/etl.service/memory.max": "2048",
				"sys/fs/cgroup/system.slice/memory.max":             "max",
			}, want: 2048,
		},
		{
			name: "version 2, nested, the limit is in the middle", runtime: noRuntimeLimit, cgroup: "0::/kubepods.slice/pod1/container1\n", mounts: mountV2,
			files: map[string]string{
				"sys/fs/cgroup/kubepods.slice/pod1/container1/memory.max": "4096",
				"sys/fs/cgroup/kubepods.slice/pod1/memory.max":            "2048",
				"sys/fs/cgroup/kubepods.slice/memory.max":                 "8192",
				"sys/fs/cgroup/other/memory.max":                          "1",
			}, want: 2048,
		},
		{
			name: "version 2, the group is not seen", runtime: noRuntimeLimit, cgroup: "0::/../../escaped\n", mounts: mountV2,
			files: map[string]string{"sys/fs/cgroup/memory.max": "2048", "sys/fs/escaped/memory.max": "1", "sys/fs/cgroup/escaped/memory.max": "1"}, want: 2048,
		},
		{
			name: "version 2 at a path with a space", runtime: noRuntimeLimit, cgroup: "0::/a:b\n", mounts: mountSpace,
			files: map[string]string{"my groups/a:b/memory.max": "2048"}, want: 2048,
		},
		{
			name: "version 1", runtime: noRuntimeLimit, cgroup: "5:cpu,cpuacct:/jobs\n4:memory:/jobs\n1:name=systemd:/\n", mounts: mountCPU + mountV1,
			files: map[string]string{"sys/fs/cgroup/memory/jobs/memory.limit_in_bytes": "4096\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": noLimitV1}, want: 4096,
		},
		{
			name: "version 1 without a limit", runtime: noRuntimeLimit, cgroup: "4:memory:/\n", mounts: mountV1,
			files: map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": noLimitV1},
		},
		{
			name: "version 1, pages of 64 KiB", runtime: noRuntimeLimit, cgroup: "4:memory:/\n", mounts: mountV1,
			files: map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854710272\n"},
		},
		{
			name: "version 1 in a container that sees its host's groups", runtime: noRuntimeLimit, cgroup: "4:memory:/docker/abc/worker\n", mounts: mountContainer,
			files: map[string]string{"sys/fs/cgroup/memory/worker/memory.limit_in_bytes": "4096", "sys/fs/cgroup/memory/memory.limit_in_bytes": "2048"}, want: 2048,
		},
		{
			name: "version 1, the name of the group begins like the container's", runtime: noRuntimeLimit, cgroup: "4:memory:/docker/abcdef\n", mounts: mountContainer,
			files: map[string]string{"sys/fs/cgroup/memory/def/memory.limit_in_bytes": "1", "sys/fs/cgroup/memory/memory.limit_in_bytes": "2048"}, want: 2048,
		},
		{
			name: "both versions", runtime: noRuntimeLimit, cgroup: "4:memory:/jobs\n0::/jobs\n", mounts: mountV1 + mountHybrid,
			files: map[string]string{"sys/fs/cgroup/memory/jobs/memory.limit_in_bytes": "4096", "sys/fs/cgroup/unified/jobs/memory.max": "max"}, want: 4096,
		},
		{
			name: "the runtime has the lower limit", runtime: 100, cgroup: "0::/\n", mounts: mountV2,
			files: map[string]string{"sys/fs/cgroup/memory.max": "200"}, want: 100,
		},
		{
			name: "the control group has the lower limit", runtime: 300, cgroup: "0::/\n", mounts: mountV2,
			files: map[string]string{"sys/fs/cgroup/memory.max": "200"}, want: 200,
		},
		{
			name: "a limit above the memory of the machine", runtime: noRuntimeLimit, cgroup: "0::/\n", mounts: mountV2,
			files: map[string]string{"sys/fs/cgroup/memory.max": "1048577", "proc/meminfo": "MemTotal:           1024 kB\nMemFree: 1 kB\n"},
		},
		{
			name: "a limit at the memory of the machine", runtime: noRuntimeLimit, cgroup: "0::/\n", mounts: mountV2,
			files: map[string]string{"sys/fs/cgroup/memory.max": "1048576", "proc/meminfo": "MemTotal:           1024 kB\n"}, want: 1048576,
		},
		{
			name: "values that are none", runtime: noRuntimeLimit, cgroup: "0::/a/b/c\n", mounts: mountV2,
			files: map[string]string{
				"sys/fs/cgroup/a/b/c/memory.max": "", "sys/fs/cgroup/a/b/memory.max": "-1",
				"sys/fs/cgroup/a/memory.max": "0", "sys/fs/cgroup/memory.max": "many",
			},
		},
		{name: "malformed", runtime: noRuntimeLimit, cgroup: "0\n0::\n::\n", mounts: "- cgroup2 x rw\n1 2 3 / / rw - cgroup2\n\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root := fstest.MapFS{}
			for file, content := range tt.files {
				root[file] = &fstest.MapFile{Data: []byte(content)}
			}
			root["proc/self/cgroup"] = &fstest.MapFile{Data: []byte(tt.cgroup)}
			root["proc/self/mountinfo"] = &fstest.MapFile{Data: []byte(tt.mounts)}
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(metrics.MemoryLimit(tt.runtime, root))
			got := 0.0
			if family := families(t, registry)["etl_memory_limit_bytes"]; family != nil {
				got = family.GetMetric()[0].GetGauge().GetValue()
			}
			if got != tt.want {
				t.Errorf("limit = %v, want %v", got, tt.want)
			}
		})
	}
}

// A limit that is changed while the process runs is seen by the next scrape.
func TestMetrics_MemoryLimitChanges(t *testing.T) {
	t.Parallel()
	limit := &fstest.MapFile{Data: []byte("1024")}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.MemoryLimit(noRuntimeLimit, fstest.MapFS{
		"proc/self/cgroup":         &fstest.MapFile{Data: []byte("0::/\n")},
		"proc/self/mountinfo":      &fstest.MapFile{Data: []byte(mountV2)},
		"sys/fs/cgroup/memory.max": limit,
	}))
	for _, want := range []string{"1024", "2048"} {
		limit.Data = []byte(want)
		if got := lines(t, registry, "etl_memory_limit_bytes"); len(got) != 1 || got[0] != "etl_memory_limit_bytes "+want {
			t.Errorf("series = %v, want %s", got, want)
		}
	}
}

// This process has the limit that the tests set, or a lower one of its groups.
func TestMetrics_MemoryLimitOfThisProcess(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	mustNew(t, registry)
	got := families(t, registry)["etl_memory_limit_bytes"].GetMetric()[0].GetGauge().GetValue()
	if limit := float64(debug.SetMemoryLimit(-1)); got < 1<<20 || got > limit {
		t.Errorf("limit = %v, want at most %v", got, limit)
	}
}

func FuzzMemoryLimit(f *testing.F) {
	f.Add("0::/a/b\n", mountV2, "1024\n", "MemTotal: 16 kB\n")
	f.Add("4:memory:/docker/abc/x\n", mountContainer, noLimitV1, "")
	f.Add("0::/../..\n", mountSpace, "max", "MemTotal: 99999999999999999999 kB\n")
	f.Add("0::"+strings.Repeat("/x", 500), mountV2, "1", "x")
	f.Fuzz(func(t *testing.T, cgroup, mounts, limit, meminfo string) {
		root := everyLimit{fstest.MapFS{
			"proc/self/cgroup":    &fstest.MapFile{Data: []byte(cgroup)},
			"proc/self/mountinfo": &fstest.MapFile{Data: []byte(mounts)},
			"proc/meminfo":        &fstest.MapFile{Data: []byte(meminfo)},
		}, []byte(limit)}
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(metrics.MemoryLimit(noRuntimeLimit, root))
		for _, family := range families(t, registry) {
			if got := family.GetMetric()[0].GetGauge().GetValue(); got < 1 || got >= 1<<62 {
				t.Errorf("limit = %v", got)
			}
		}
	})
}

// everyLimit is a file system in which every group has the same limit.
type everyLimit struct {
	fstest.MapFS

	limit []byte
}

func (e everyLimit) ReadFile(name string) ([]byte, error) {
	switch path.Base(name) {
	case "memory.max", "memory.limit_in_bytes":
		return e.limit, nil
	default:
		return e.MapFS.ReadFile(name)
	}
}
