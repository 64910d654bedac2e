// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// follower reads a file that grows. It ends when its context is done. If the file is
// replaced by another one, or becomes shorter, it goes on with what is there.
type follower struct {
	ctx  context.Context //nolint:containedctx // Of io.Reader, which takes none.
	name string
	f    *os.File
	read int64
}

// betweenLooks is how often a file is looked at that has not grown.
const betweenLooks = 200 * time.Millisecond

// Read implements [io.Reader].
func (f *follower) Read(p []byte) (int, error) {
	for {
		n, err := f.f.Read(p)
		f.read += int64(n)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		if err := f.renew(); err != nil {
			return 0, err
		}
		select {
		case <-f.ctx.Done():
			_ = f.f.Close() // It was only read.
			return 0, io.EOF
		case <-time.After(betweenLooks):
		}
	}
}

// renew opens the file again if it is another one, and goes to its beginning if it is
// shorter than before.
func (f *follower) renew() error {
	own, err := f.f.Stat()
	if err != nil {
		return err
	}
	now, err := os.Stat(f.name)
	switch {
	case err != nil: // It is about to be replaced.
		return nil //nolint:nilerr // There may be one again.
	case !os.SameFile(own, now):
		next, failed := os.Open(f.name)
		if failed != nil {
			return nil //nolint:nilerr // Likewise.
		}
		_ = f.f.Close() // It was only read.
		f.f, f.read = next, 0
	case now.Size() < f.read:
		f.read, err = f.f.Seek(0, io.SeekStart)
		return err
	}
	return nil
}
