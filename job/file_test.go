// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package job_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/waybill-go/waybill/job"
	"github.com/waybill-go/waybill/propagation"
)

// Whatever file is named, Read ends, and says nothing of a file that it does not use.
func TestRead_AnnotationFiles(t *testing.T) {
	t.Parallel()
	written := func(file string) error {
		err := syscall.Mkfifo(file, 0o600)
		if err != nil {
			return err
		}
		w, err := os.OpenFile(file, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = w.Close() })
		_, err = w.WriteString(annotation)
		return err
	}
	for _, tt := range []struct {
		name   string
		create func(file string) error
		want   bool // Whether there is a context.
	}{
		{name: "regular", create: write(annotation), want: true},
		{name: "symlink", create: func(file string) error { return errors.Join(write(annotation)(file+".1"), os.Symlink(file+".1", file)) }, want: true},
		{name: "binary around it", create: write("\x00\xff\n\x00=\"\xfe\"\n" + annotation + "\x00"), want: true},
		{name: "within the first MiB", create: func(file string) error { return errors.Join(write(annotation)(file), os.Truncate(file, 100<<20)) }, want: true},
		{name: "behind the first MiB", create: write(strings.Repeat("x", 1<<20) + "\n" + annotation)},
		{name: "cut by the end of the first MiB", create: write(strings.Repeat("x", 1<<20-40) + "\n" + annotation)},
		{name: "empty", create: write("")},
		{name: "absent", create: func(string) error { return nil }},
		{name: "not readable", create: func(file string) error { return os.Symlink("/proc/self/mem", file) }},
		{name: "directory", create: func(file string) error { return os.Mkdir(file, 0o700) }},
		{name: "FIFO that nobody writes", create: func(file string) error { return syscall.Mkfifo(file, 0o600) }},
		{name: "FIFO that somebody writes", create: written},
		{name: "device without an end", create: func(file string) error { return os.Symlink("/dev/zero", file) }},
		{name: "symlink to itself", create: func(file string) error { return os.Symlink(file, file) }},
		{name: "symlink to nothing", create: func(file string) error { return os.Symlink(file+".1", file) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "annotations")
			if err := tt.create(file); err != nil {
				t.Fatal(err)
			}
			remote := job.Read(job.WithEnviron([]string{}), job.WithArgs(nil), job.WithAnnotations(file, ""))
			if got := remote.SpanContext().IsValid(); got != tt.want {
				t.Errorf("Read = %v, want a context: %t", remote.SpanContext(), tt.want)
			}
			if !tt.want && !errors.Is(remote.Err(), propagation.ErrAbsent) {
				t.Errorf("Read has the error %v, want ErrAbsent", remote.Err())
			}
		})
	}
}

func write(content string) func(file string) error {
	return func(file string) error { return os.WriteFile(file, []byte(content), 0o600) }
}

// kubelet replaces all annotations at once, by the directory that a symlink names.
func TestRead_AnnotationsThatAreReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	versions := map[string]string{"first": traceParent, "second": otherParent}
	for version, parent := range versions {
		content := strings.Repeat("x=\"y\"\n", 10_000) + "tracing.k8s.io/traceparent=\"" + parent + "\"\ntracing.k8s.io/tracestate=\"v=" + version + "\"\n"
		if err := errors.Join(os.Mkdir(filepath.Join(dir, version), 0o700), write(content)(filepath.Join(dir, version, "annotations"))); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "..data")
	use := func(version string) error {
		return errors.Join(os.Symlink(version, data+"_tmp"), os.Rename(data+"_tmp", data))
	}
	if err := errors.Join(use("first"), os.Symlink(filepath.Join("..data", "annotations"), filepath.Join(dir, "annotations"))); err != nil {
		t.Fatal(err)
	}
	read, replaced := make(chan struct{}), make(chan error)
	go func() {
		var err error
		for i := 0; err == nil; i++ {
			select {
			case <-read:
				replaced <- nil
				return
			default:
				err = use([]string{"first", "second"}[i%2])
			}
		}
		replaced <- err
	}()
	for range 200 {
		sc := job.Read(job.WithEnviron([]string{}), job.WithArgs(nil), job.WithAnnotations(filepath.Join(dir, "annotations"), "")).SpanContext()
		if want := versions[sc.TraceState().Get("v")]; want == "" || sc.TraceID().String() != want[3:35] {
			t.Errorf("read trace %v with the tracestate %q, want both of one version", sc.TraceID(), sc.TraceState())
		}
	}
	close(read)
	if err := <-replaced; err != nil {
		t.Error(err)
	}
}
