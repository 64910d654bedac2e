// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"errors"
	"strconv"
	"strings"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/internal/envname"
	"github.com/waybill-go/waybill/propagation"
)

// Read returns the context that this process was started with: the one in its
// environment, else in its arguments, else in the annotations of its pod. If there is
// none, the error of the result says what was wrong with the first of them that was
// malformed. Read never fails, and changes neither the environment nor the arguments.
func Read(opts ...ReadOption) propagation.Remote {
	remote, _ := newConfig(opts).read()
	return remote
}

// places are where a context is looked for, in this order.
var places = [...]string{"its environment", "its arguments", "the annotations of its pod"}

// read is [Read]; it also returns which of the places the result is from.
func (c config) read() (found propagation.Remote, place string) {
	for i, read := range [len(places)]func() propagation.Remote{c.readEnviron, c.readArgs, c.readAnnotations} {
		remote := read()
		if remote.SpanContext().IsValid() {
			return remote, places[i]
		}
		if i == 0 || errors.Is(found.Err(), propagation.ErrAbsent) {
			found, place = remote, places[i]
		}
	}
	return found, place
}

func (c config) readEnviron() propagation.Remote {
	return envcarrier.ReadFrom(envname.Fold(c.environ), envcarrier.WithPropagation(c.propagation...))
}

func (c config) readArgs() propagation.Remote {
	return jobcarrier.ReadArgs(c.args, c.jobOptions()...)
}

func (c config) readAnnotations() propagation.Remote {
	return c.parseAnnotations(head(c.annotations))
}

// parseAnnotations returns the context in a file that the downward API of Kubernetes
// writes: a line KEY="VALUE" for each annotation, quoted as in Go.
// https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
func (c config) parseAnnotations(content string) propagation.Remote {
	found := make(map[string]string)
	for line := range strings.Lines(content) {
		key, quoted, _ := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		name, ok := strings.CutPrefix(key, c.annotationPrefix+"/")
		if !ok {
			continue
		}
		if value, err := strconv.Unquote(quoted); err == nil {
			found[name] = value
		}
	}
	return jobcarrier.Read(found, c.jobOptions()...)
}

// jobOptions returns the options of package jobcarrier. Most jobs have none, and need
// not allocate them.
func (c config) jobOptions() []jobcarrier.Option {
	if len(c.propagation) == 0 {
		return nil
	}
	return []jobcarrier.Option{jobcarrier.WithPropagation(c.propagation...)}
}
