// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"io"
	"os"
)

// head returns the beginning of a file, or the empty string if it cannot be read.
func head(name string) string {
	if name == "" {
		return ""
	}
	f, err := os.Open(name) //nolint:gosec // The user names the file.
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, maxAnnotations))
	if err != nil {
		return ""
	}
	return string(content)
}
