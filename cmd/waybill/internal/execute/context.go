// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/baggage"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// contextNames are the variables of a context. In lower case they are read too.
var contextNames = []string{"TRACEPARENT", "TRACESTATE", "BAGGAGE", "WAYBILL"}

// maxAnnotations is the most that is read of a file of annotations: Kubernetes
// allows an object 256 KiB of them, and quoting may make each byte four.
const maxAnnotations = 1 << 20

// findContext returns the context that the job was started with: of its
// environment, its arguments, or the annotations of its pod, in this order. If there
// is none, the error of the result says what was wrong with the first that was
// malformed.
func findContext(cfg *Config, environ []string) propagation.Remote {
	sources := []func() propagation.Remote{
		func() propagation.Remote { return envcarrier.ReadFrom(environ, withBaggageOf(environ)) },
	}
	if cfg.FromArgs {
		sources = append(sources, func() propagation.Remote { return jobcarrier.ReadArgs(cfg.Command[1:]) })
	}
	if cfg.Annotations != "" {
		sources = append(sources, func() propagation.Remote { return readAnnotations(cfg.Annotations, cfg.AnnotationPrefix) })
	}
	var found propagation.Remote
	for i, read := range sources {
		remote := read()
		if remote.SpanContext().IsValid() {
			return remote
		}
		if i == 0 || errors.Is(found.Err(), propagation.ErrAbsent) {
			found = remote
		}
	}
	return found
}

// fold returns a copy of environ that has the variables of a context in upper case
// only. Those in lower case are ignored if TRACEPARENT is set, because they belong
// to another span.
func fold(environ []string) []string {
	folded := make([]string, 0, len(environ))
	carrier := envcarrier.Carrier(environ)
	hasUpper := carrier.Get("traceparent") != ""
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		upper := strings.ToUpper(name)
		switch {
		case name == upper || name != strings.ToLower(name) || !slices.Contains(contextNames, upper):
			folded = append(folded, entry)
		case !hasUpper:
			folded = append(folded, upper+"="+value)
		}
	}
	return folded
}

// withBaggageOf selects the members of the baggage in environ: what the job was
// given there, the command is given too.
func withBaggageOf(environ []string) envcarrier.Option {
	carrier := envcarrier.Carrier(environ)
	members, err := baggage.Parse(carrier.Get("baggage"))
	if err != nil {
		return nil
	}
	var keys []string
	for _, member := range members.Members() {
		keys = append(keys, member.Key())
	}
	return envcarrier.WithPropagation(propagation.WithBaggage(keys...))
}

// readAnnotations returns the context in a file that the downward API of Kubernetes
// writes: a line KEY="VALUE" for each annotation, quoted as in Go.
func readAnnotations(file, prefix string) propagation.Remote {
	f, err := os.Open(file) //nolint:gosec // The user names the file.
	if err != nil {
		return propagation.Remote{}
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxAnnotations))
	if err != nil {
		return propagation.Remote{}
	}
	return parseAnnotations(string(content), prefix)
}

func parseAnnotations(content, prefix string) propagation.Remote {
	found := carriers.Map{}
	for line := range strings.Lines(content) {
		key, quoted, _ := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		name, ok := strings.CutPrefix(key, prefix+"/")
		if !ok || !slices.Contains(contextNames, strings.ToUpper(name)) {
			continue
		}
		if value, err := strconv.Unquote(quoted); err == nil {
			found[name] = value
		}
	}
	return propagation.ReadTextMap(found, propagation.WithoutBaggage())
}
