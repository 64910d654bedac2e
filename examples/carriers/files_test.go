// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

func carryManifest(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	name := filepath.Join(t.TempDir(), "quakes.json")
	if err := WriteManifest(ctx, name, []byte(`{"rows": 1707}`)); err != nil {
		t.Fatal(err)
	}
	_, remote, err := ReadManifest(name)
	if err != nil {
		t.Fatal(err)
	}
	return remote.Context(t.Context())
}

func TestManifestKeepsItsText(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "quakes.json")
	if err := WriteManifest(inAnySpan(t), name, []byte("{\n  \"rows\": 1707,\n  \"schema\": {\"b\": 1, \"a\": 2}\n}\n")); err != nil {
		t.Fatal(err)
	}
	manifest, remote, err := ReadManifest(name)
	if err != nil || remote.Err() != nil {
		t.Fatal(err, remote.Err())
	}
	if want := "{\n  \"rows\": 1707,\n  \"schema\": {\"b\": 1, \"a\": 2}"; !strings.HasPrefix(string(manifest), want) {
		t.Errorf("the manifest is %s", manifest)
	}
}

func TestMissingManifestCarriesNothing(t *testing.T) {
	t.Parallel()
	_, remote, err := ReadManifest(filepath.Join(t.TempDir(), "none.json"))
	if err == nil || remote.SpanContext().IsValid() {
		t.Errorf("the error is %v and the span %+v", err, remote.SpanContext())
	}
}

// A reader that links stays in a trace of its own, and in the flow.
func TestReaderOfAManifestLinksToItsWriter(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	name := filepath.Join(t.TempDir(), "quakes.json")
	ctx, write := inSpan(t, f.Service("producer").Tracer("test"))
	if err := WriteManifest(ctx, name, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	write.End()
	_, remote, err := ReadManifest(name)
	if err != nil {
		t.Fatal(err)
	}
	_, load := propagation.Start(t.Context(), f.Service("consumer").Tracer("test"), "load",
		[]propagation.Remote{remote}, propagation.AsLink())
	load.End()

	fl := f.Wait(5 * time.Second)
	fl.RequireConnected()
	fl.Span("load").LinkedTo("producer send")
}
