// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import "os"

// readReady reads from f.
func readReady(f *os.File, p []byte) (int, error) { return f.Read(p) }
