// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"io"
	"os"
	"syscall"
)

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
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	content, err := io.ReadAll(io.LimitReader(f, maxAnnotations))
	if err != nil {
		return ""
	}
	return string(content)
}
