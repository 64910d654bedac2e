// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package callsite_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/internal/callsite"
	"github.com/waybill-go/waybill/propagation"
)

// The place of a call is where the user called, however many functions of this module
// lie in between.
func TestFind_EntryOfTheModule(t *testing.T) {
	t.Parallel()
	handled := func(context.Context) error { return nil }
	for _, tt := range []struct {
		call, carrier string
		do            func(ctx context.Context)
	}{
		{"propagation.Encode", "", func(ctx context.Context) { propagation.Encode(ctx) }},
		{"propagation.Map", "map[string]string", func(ctx context.Context) { propagation.Map(ctx) }},
		{"kafkacarrier.Inject", "kafka", func(ctx context.Context) { kafkacarrier.Inject(ctx, new(kafka.Message)) }},
		{"kafkacarrier.Extract", "kafka", func(ctx context.Context) { kafkacarrier.Extract(ctx, kafka.Message{}) }},
		{"kafkacarrier.Process", "kafka", func(ctx context.Context) { _ = kafkacarrier.Process(ctx, kafka.Message{}, handled) }},
		{"envcarrier.Command", "env", func(ctx context.Context) { envcarrier.Command(ctx, exec.CommandContext(ctx, "true")) }},
		{"envcarrier.Extract", "env", func(ctx context.Context) { envcarrier.Extract(ctx) }},
		{"jobcarrier.InjectArgs", "job", func(ctx context.Context) { jobcarrier.InjectArgs(ctx, []string{"--day=1"}) }},
		{"mongocarrier.Capture", "mongo", func(ctx context.Context) { mongocarrier.Capture(ctx) }},
		{"mongocarrier.Field.Context", "mongo", func(ctx context.Context) { mongocarrier.Field{}.Context(ctx) }},
	} {
		t.Run(tt.call, func(t *testing.T) {
			t.Parallel()
			var j propagation.Journal
			tt.do(propagation.ContextWithJournal(t.Context(), &j))
			entries := j.Entries()
			if len(entries) == 0 {
				t.Fatal("nothing was noted")
			}
			e := entries[0]
			if e.Call != tt.call || e.Carrier != tt.carrier {
				t.Errorf("got %q of %q, want %q of %q", e.Call, e.Carrier, tt.call, tt.carrier)
			}
			if filepath.Base(e.File) != "callsite_test.go" || !strings.Contains(e.Function, "TestFind_EntryOfTheModule") {
				t.Errorf("got place %s:%d in %s, want this test", e.File, e.Line, e.Function)
			}
		})
	}
}

func TestFind_NoCallInBetween(t *testing.T) {
	t.Parallel()
	got := callsite.Find()
	if got.Call != "" || got.Carrier != "" || !strings.HasSuffix(got.File, "callsite_test.go") {
		t.Errorf("got %+v, want this test", got)
	}
	if want := got.File + ":"; !strings.HasPrefix(got.String(), want) {
		t.Errorf("String returns %q, want %q and the line", got.String(), want)
	}
	if got := (callsite.Site{}).String(); got != "" {
		t.Errorf("the zero Site is %q, want nothing", got)
	}
}

// A call whose caller is not on the stack has no place, and does not panic.
func TestFind_Goroutine(t *testing.T) {
	t.Parallel()
	places := make(chan callsite.Site, 1)
	go func() { places <- callsite.Find() }()
	if got := <-places; !strings.HasSuffix(got.File, "callsite_test.go") {
		t.Errorf("got %+v, want the function of the goroutine", got)
	}
}
