// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// WriteFile writes the trace context of ctx to the file called name, as the variables
// that [Inject] writes, one NAME='value' a line. Kubernetes can start another container of
// the pod with variables of such a file, which k8scarrier.WithContextFile asks for: call
// it in an init container, with the ctx of its span, and what is started next is a child
// of that span. A shell can read the file too.
//
// The file is written whole or not at all, in place of one that is there, and everyone may
// read it. If ctx holds no context, it is written without a variable: a container whose
// file does not exist is not started. A value that the file cannot hold is left out: one
// with a quote ', a line break or a NUL, one that is not UTF-8, and one that makes its
// line longer than 64 KiB. A traceparent is never one of these.
//
// WriteFile does not create directories. The policy of the options has no effect.
func WriteFile(ctx context.Context, name string, opts ...Option) error {
	var text []byte
	for _, variable := range Inject(ctx, nil, opts...) {
		text = append(text, lineOf(variable)...)
	}
	return replaceFile(name, text)
}

// maxLine is the length of the longest line that kubelet reads, with the line break: the
// one of a [bufio.Scanner].
const maxLine = 64 << 10

// lineOf returns the line of a file for a variable NAME=value, or the empty string if
// no line can hold it. Between quotes, every character stands for itself, and a quote
// cannot stand there.
// https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-via-file/
func lineOf(variable string) string {
	name, value, _ := strings.Cut(variable, "=")
	line := name + "='" + value + "'\n"
	if strings.ContainsAny(value, "'\n") || !utf8.ValidString(value) || len(line) > maxLine {
		return ""
	}
	return line
}

// replaceFile writes the file called name, so that no one sees a part of it.
func replaceFile(name string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".waybill-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
