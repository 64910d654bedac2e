// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kubejob_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/internal/kubejob"
)

const uid = "0f1c9c35-7d0c-4f4e-9a9e-3e6a5d4a7b11"

func TestRead(t *testing.T) {
	t.Parallel()
	const (
		namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
		mountsFile    = "/proc/self/mountinfo"
		hostsFile     = "/etc/hosts"
		mounts        = "1071 1060 0:310 / /proc rw\n1080 1060 259:1 /var/lib/kubelet/pods/" + uid + "/etc-hosts /etc/hosts rw\n"
	)
	for name, test := range map[string]struct {
		env   map[string]string
		files map[string]string
		want  kubejob.Info
		ok    bool
	}{
		"no cluster":        {env: map[string]string{"JOB_COMPLETION_INDEX": "1", "WAYBILL_JOB_NAME": "nightly"}},
		"a pod, but no job": {env: map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "api-5d8f"}},
		"an Indexed Job that nobody prepared": {
			env:   map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "3", "HOSTNAME": "nightly-3"},
			files: map[string]string{namespaceFile: "etl\n", mountsFile: mounts},
			want:  kubejob.Info{Name: "nightly", Namespace: "etl", PodUID: uid, Index: 3},
			ok:    true,
		},
		"an Indexed Job with a host name of its own": {
			env:  map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "0", "HOSTNAME": "worker"},
			want: kubejob.Info{Index: 0},
			ok:   true,
		},
		"an Indexed Job with a domain name": {
			env:  map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "0", "HOSTNAME": "nightly-0.jobs.etl.svc.cluster.local"},
			want: kubejob.Info{Index: 0},
			ok:   true,
		},
		"an Indexed Job on the network of its node": {
			env:   map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "3", "HOSTNAME": "worker-3"},
			files: map[string]string{hostsFile: "# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n"},
			want:  kubejob.Info{Index: 3},
			ok:    true,
		},
		"an Indexed Job on a network of its own": {
			env:   map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "3", "HOSTNAME": "nightly-3"},
			files: map[string]string{hostsFile: "# Kubernetes-managed hosts file.\n127.0.0.1 localhost\n"},
			want:  kubejob.Info{Name: "nightly", Index: 3},
			ok:    true,
		},
		"a Job that only has a name": {
			env:  map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "node-1.example.org", "WAYBILL_JOB_NAME": "nightly"},
			want: kubejob.Info{Name: "nightly", Index: -1},
			ok:   true,
		},
		"the names of the documentation of Kubernetes": {
			env: map[string]string{
				"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "node-7", "JOB_COMPLETION_INDEX": "1",
				"MY_POD_NAME": "nightly-1-x7z2p", "MY_POD_NAMESPACE": "etl", "MY_POD_UID": uid,
			},
			want: kubejob.Info{Namespace: "etl", Pod: "nightly-1-x7z2p", PodUID: uid, Index: 1},
			ok:   true,
		},
		"the names of the operator of OpenTelemetry": {
			env: map[string]string{
				"KUBERNETES_SERVICE_HOST": "10.0.0.1", "WAYBILL_JOB_NAME": "nightly", "HOSTNAME": "node-1",
				"OTEL_RESOURCE_ATTRIBUTES_POD_NAME": "nightly-x7z2p", "OTEL_RESOURCE_ATTRIBUTES_POD_UID": uid,
			},
			want: kubejob.Info{Name: "nightly", Pod: "nightly-x7z2p", PodUID: uid, Index: -1},
			ok:   true,
		},
		"a Job with our variables": {
			env: map[string]string{
				"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "node-1",
				"WAYBILL_JOB_NAME": "nightly", "WAYBILL_JOB_UID": "job-uid", "WAYBILL_JOB_FAILURES": "2",
				"WAYBILL_POD_NAME": "nightly-x7z2p", "WAYBILL_POD_NAMESPACE": "etl", "WAYBILL_POD_UID": uid,
			},
			files: map[string]string{namespaceFile: "other", mountsFile: "/kubelet/pods/11111111-1111-1111-1111-111111111111/x"},
			want: kubejob.Info{
				Name: "nightly", UID: "job-uid", Namespace: "etl", Pod: "nightly-x7z2p", PodUID: uid, Index: -1, Attempt: 3,
			},
			ok: true,
		},
		"the usual names of others": {
			env: map[string]string{
				"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "nightly-1", "JOB_COMPLETION_INDEX": "1",
				"POD_NAME": "nightly-1-x7z2p", "POD_NAMESPACE": "etl", "POD_UID": uid,
			},
			want: kubejob.Info{Name: "nightly", Namespace: "etl", Pod: "nightly-1-x7z2p", PodUID: uid, Index: 1},
			ok:   true,
		},
		"a name that Kubernetes does not give is not known": {
			env: map[string]string{
				"KUBERNETES_SERVICE_HOST": "10.0.0.1", "WAYBILL_JOB_NAME": "nightly\xff", "JOB_COMPLETION_INDEX": "4", "HOSTNAME": "a b-4",
				"WAYBILL_POD_NAME": "$(HOME)", "POD_NAME": "nightly-4-x7z2p", "WAYBILL_POD_NAMESPACE": strings.Repeat("n", 254),
				"WAYBILL_POD_UID": "\x00", "WAYBILL_JOB_UID": " ",
			},
			files: map[string]string{namespaceFile: strings.Repeat("n", 1<<20)},
			want:  kubejob.Info{Pod: "nightly-4-x7z2p", Index: 4},
			ok:    true,
		},
		"the longest name": {
			env:  map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1", "WAYBILL_JOB_NAME": strings.Repeat("n", 253)},
			want: kubejob.Info{Name: strings.Repeat("n", 253), Index: -1},
			ok:   true,
		},
		"numbers that Kubernetes does not count to": {
			env: map[string]string{
				"KUBERNETES_SERVICE_HOST": "10.0.0.1", "WAYBILL_JOB_NAME": "nightly",
				"JOB_COMPLETION_INDEX": "+1", "WAYBILL_JOB_FAILURES": "9223372036854775807",
			},
			want: kubejob.Info{Name: "nightly", Index: -1},
			ok:   true,
		},
		"nonsense is not known": {
			env: map[string]string{
				"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "x", "WAYBILL_JOB_FAILURES": "-1", "HOSTNAME": "h-x",
			},
			files: map[string]string{mountsFile: "/kubelet/pods/short/etc-hosts /kubelet/pods/" + uid},
			want:  kubejob.Info{Index: -1},
			ok:    true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			getenv := func(name string) string { return test.env[name] }
			readFile := func(name string) ([]byte, error) {
				if text, ok := test.files[name]; ok {
					return []byte(text), nil
				}
				return nil, errors.ErrUnsupported
			}
			got, ok := kubejob.ReadFrom(getenv, readFile)
			if diff := cmp.Diff(test.want, got); diff != "" || ok != test.ok {
				t.Errorf("ok %t, job (-want +got):\n%s", ok, diff)
			}
		})
	}
}

func FuzzMountedUID(f *testing.F) {
	f.Add("259:1 /var/lib/kubelet/pods/" + uid + "/etc-hosts /etc/hosts")
	f.Add("/kubelet/pods/x/kubelet/pods/" + uid + "/volumes")
	f.Add("/kubelet/pods/" + strings.ToUpper(uid) + "/volumes")
	f.Add("/kubelet/pods/" + uid)
	f.Add("/pods/" + uid + "/volumes")
	f.Fuzz(func(t *testing.T, mounts string) {
		want := ""
		path := strings.Split(mounts, "/")
		for i := range path {
			if want == "" && i > 0 && i+3 < len(path) && path[i] == "kubelet" && path[i+1] == "pods" && isUID(path[i+2]) {
				want = path[i+2]
			}
		}
		if got := kubejob.MountedUID([]byte(mounts), nil); got != want {
			t.Errorf("of %q it is %q, want %q", mounts, got, want)
		}
	})
}

func isUID(text string) bool {
	digits, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	return err == nil && len(digits) == 16 &&
		text == fmt.Sprintf("%x-%x-%x-%x-%x", digits[:4], digits[4:6], digits[6:8], digits[8:10], digits[10:])
}
