// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// writeFile writes a file, which is there whole or not at all. It writes to the target of
// a symbolic link, keeps the permissions of a file that it replaces, and never replaces
// what is not a file, such as a pipe or /dev/null.
func writeFile(name string, write func(io.Writer) error) error {
	err := replaceFile(name, write)
	var failed *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failed): // It may name a temporary file.
		return fmt.Errorf("cannot write %s: %w", name, failed.Err)
	default:
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
}

func replaceFile(name string, write func(io.Writer) error) error {
	var content bytes.Buffer // Little is left to go wrong while the file is written.
	if err := write(&content); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if info, err := os.Stat(name); err == nil {
		if !info.Mode().IsRegular() {
			return overwrite(name, content.Bytes())
		}
		mode = info.Mode().Perm()
		if target, err := filepath.EvalSymlinks(name); err == nil {
			name = target
		}
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".waybill-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // It is gone if all went well.
	_, err = f.Write(content.Bytes())
	if err = errors.Join(err, f.Chmod(mode), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// overwrite writes content to what has the name.
func overwrite(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0) //nolint:gosec // The user names it.
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// buffered writes to out in large parts.
func buffered(out io.Writer, write func(io.Writer) error) error {
	w := bufio.NewWriter(out)
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}

// unlessClosed returns err, or nil if the reader of a pipe has closed it, as head does:
// it has seen enough, and the exit code is that of what was found.
func unlessClosed(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// survivePipe makes writing to a closed pipe an error, which would otherwise end the
// program without an exit code of its own.
func survivePipe() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }
