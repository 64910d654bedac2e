// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"bytes"
	"io"
	"os"
	"syscall"
)

// maxAnnotations is the most that is read of a file of annotations, in bytes:
// Kubernetes allows an object 256 KiB of them, and quoting may make each byte four.
const maxAnnotations = 1 << 20

// head returns the beginning of a regular file, or the empty string if name is not one
// or cannot be read. Opening a FIFO does not wait for a writer.
func head(name string) string {
	if name == "" {
		return ""
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	content := bytes.NewBuffer(make([]byte, 0, min(info.Size(), maxAnnotations)+bytes.MinRead))
	if _, err := content.ReadFrom(io.LimitReader(f, maxAnnotations)); err != nil {
		return ""
	}
	return content.String()
}
