// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest_test

import (
	"testing"

	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/carriers/carriertest"
	"github.com/waybill-go/waybill/propagation"
)

// label is an entry of a carrier that nobody foresaw.
type label struct{ name, text string }

// labels reads and writes a list of labels.
type labels struct{}

func (labels) Get(list *[]label, key string) string {
	for _, l := range *list {
		if l.name == key {
			return l.text
		}
	}
	return ""
}

func (labels) Set(list *[]label, key, value string) {
	kept := make([]label, 0, len(*list)+1) // A list of its own, since others may hold the old one.
	for _, l := range *list {
		if l.name != key {
			kept = append(kept, l)
		}
	}
	kept = append(kept, label{key, value})
	*list = kept
}

func ExampleRun() {
	_ = func(t *testing.T) { // The whole test of a carrier that is a TextMapCarrier.
		carriertest.Run(t, func() propagation.TextMapCarrier { return otelpropagation.HeaderCarrier{} },
			carriertest.WithFoldedKeys())
	}
	// Output:
}

func ExampleRunAccessors() {
	_ = func(t *testing.T) { // The whole test of a carrier with a Getter and a Setter.
		carriertest.RunAccessors(t, func() *[]label { return new([]label) }, labels{}, labels{})
	}
	// Output:
}

// TestLabels is the whole test of a carrier with accessors.
func TestLabels(t *testing.T) {
	t.Parallel()
	carriertest.RunAccessors(t, func() *[]label { return new([]label) }, labels{}, labels{},
		carriertest.WithFork(func(list *[]label) *[]label { fork := *list; return &fork }),
		carriertest.WithEntries(func(list *[]label) int { return len(*list) }))
}
