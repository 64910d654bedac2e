// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest_test

import (
	"slices"
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

// Metadata of objects: keys without case, and 2 KB of ASCII.
func ExampleWithFoldedKeys() {
	_ = func(t *testing.T) {
		carriertest.Run(t, func() propagation.TextMapCarrier { return otelpropagation.HeaderCarrier{} },
			carriertest.WithFoldedKeys(), carriertest.WithoutNonASCII(), carriertest.WithMaxBytes(2048))
	}
	// Output:
}

func ExampleWithoutNonASCII() {
	_ = func(t *testing.T) {
		carriertest.Run(t, func() propagation.TextMapCarrier { return otelpropagation.MapCarrier{} }, carriertest.WithoutNonASCII())
	}
	// Output:
}

func ExampleWithMaxBytes() {
	_ = func(t *testing.T) {
		carriertest.Run(t, func() propagation.TextMapCarrier { return otelpropagation.MapCarrier{} }, carriertest.WithMaxBytes(1024))
	}
	// Output:
}

func ExampleWithNil() {
	_ = func(t *testing.T) {
		carriertest.RunAccessors(t, func() *[]label { return new([]label) }, labels{}, labels{},
			carriertest.WithNil(func() *[]label { list := make([]label, 0); return &list }))
	}
	// Output:
}

// Two messages that hold one list, as a fan-out makes them.
func ExampleWithFork() {
	_ = func(t *testing.T) {
		carriertest.RunAccessors(t, func() *[]label { return new([]label) }, labels{}, labels{},
			carriertest.WithFork(func(list *[]label) *[]label { fork := *list; return &fork }))
	}
	// Output:
}

func ExampleWithRepeats() {
	_ = func(t *testing.T) {
		carriertest.RunAccessors(t, func() *[]label { return new([]label) }, labels{}, labels{}, repeatedLabels())
	}
	// Output:
}

// repeatedLabels makes a list that holds each of values under one key.
func repeatedLabels() carriertest.Option {
	return carriertest.WithRepeats(func(key string, values ...string) *[]label {
		var list []label
		for _, value := range values {
			list = append(list, label{key, value})
		}
		return &list
	})
}

func ExampleWithEntries() {
	_ = func(t *testing.T) {
		carriertest.RunAccessors(t, func() *[]label { return new([]label) }, labels{}, labels{},
			repeatedLabels(), carriertest.WithEntries(func(list *[]label) int { return len(*list) }))
	}
	// Output:
}

// A medium of which readers take the last value, as those of Kafka do.
func ExampleWithLastValue() {
	_ = func(t *testing.T) {
		carriertest.RunAccessors(t, func() *[]label { return new([]label) }, lastLabels{}, lastLabels{},
			repeatedLabels(), carriertest.WithLastValue())
	}
	// Output:
}

// lastLabels reads the last label of a name.
type lastLabels struct{ labels }

func (lastLabels) Get(list *[]label, key string) string {
	for _, l := range slices.Backward(*list) {
		if l.name == key {
			return l.text
		}
	}
	return ""
}

// TestLabels is the whole test of a carrier with accessors.
func TestLabels(t *testing.T) {
	t.Parallel()
	carriertest.RunAccessors(t, func() *[]label { return new([]label) }, labels{}, labels{},
		carriertest.WithFork(func(list *[]label) *[]label { fork := *list; return &fork }),
		carriertest.WithNil(func() *[]label { list := make([]label, 0); return &list }),
		repeatedLabels(), carriertest.WithEntries(func(list *[]label) int { return len(*list) }))
}
