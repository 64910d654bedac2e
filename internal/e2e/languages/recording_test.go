// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package languages_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// record rewrites the recording of a healthy flow that the tests of the command
// read, if UPDATE_RECORDINGS is set.
func record(t *testing.T, name string, traces ptrace.Traces) {
	t.Helper()
	if os.Getenv("UPDATE_RECORDINGS") == "" {
		return
	}
	scrub(traces)
	lines, err := jsonLines(traces)
	if err == nil {
		err = os.WriteFile(filepath.Join("../../../cmd/waybill/testdata/healthy", name+".jsonl.gz"), lines, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// jsonLines returns traces as the file exporter of a collector writes them, with
// one line for each resource, compressed.
func jsonLines(traces ptrace.Traces) ([]byte, error) {
	var text bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&text, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	for _, resource := range traces.ResourceSpans().All() {
		one := ptrace.NewTraces()
		resource.CopyTo(one.ResourceSpans().AppendEmpty())
		line, failed := (&ptrace.JSONMarshaler{}).MarshalTraces(one)
		if failed == nil {
			_, failed = zipped.Write(append(line, '\n'))
		}
		err = errors.Join(err, failed)
	}
	err = errors.Join(err, zipped.Close())
	return text.Bytes(), err
}

// kept are the attributes that a recording keeps, by what their keys begin with.
// Others may say something about the machine.
var kept = []string{"messaging.", "db.", "error.type", "waybill.", "flow.", "service.name", "service.instance.id", "telemetry.sdk."}

// dropped are exceptions from kept.
var dropped = []string{"messaging.url", "messaging.client", "messaging.kafka.client", "db.connection_string"}

// scrub takes out of traces what says something about the machine.
func scrub(traces ptrace.Traces) {
	instances := make(map[string]string)
	for _, resource := range traces.ResourceSpans().All() {
		nameInstance(resource.Resource().Attributes(), instances)
		clean(resource.Resource().Attributes())
		for _, scope := range resource.ScopeSpans().All() {
			clean(scope.Scope().Attributes())
			for _, span := range scope.Spans().All() {
				clean(span.Attributes())
				span.Events().RemoveIf(func(ptrace.SpanEvent) bool { return true })
			}
		}
	}
}

// nameInstance numbers the processes of a service, in place of their host and id.
func nameInstance(resource pcommon.Map, known map[string]string) {
	get := func(key string) string {
		value, ok := resource.Get(key)
		if !ok {
			return ""
		}
		return value.AsString()
	}
	name := get("service.name")
	key := strings.Join([]string{name, get("service.instance.id"), get("host.name"), get("process.pid")}, "/")
	if known[key] == "" {
		known[key] = fmt.Sprintf("%s-%d", name, len(known)+1)
	}
	resource.PutStr("service.instance.id", known[key])
}

func clean(attributes pcommon.Map) {
	begins := func(key string) func(string) bool {
		return func(prefix string) bool { return strings.HasPrefix(key, prefix) }
	}
	attributes.RemoveIf(func(key string, _ pcommon.Value) bool {
		return !slices.ContainsFunc(kept, begins(key)) || slices.ContainsFunc(dropped, begins(key))
	})
}
