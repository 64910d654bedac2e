// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/carriers/carriertest"
	"github.com/waybill-go/waybill/propagation"
)

// TestRun_OpenTelemetryCarriersPass also proves that no rule asks for more than
// OpenTelemetry's own carriers do.
func TestRun_OpenTelemetryCarriersPass(t *testing.T) {
	t.Parallel()
	t.Run("map", func(t *testing.T) {
		t.Parallel()
		carriertest.Run(t, func() propagation.TextMapCarrier { return otelpropagation.MapCarrier{} })
	})
	t.Run("header", func(t *testing.T) {
		t.Parallel()
		carriertest.Run(t, func() propagation.TextMapCarrier { return otelpropagation.HeaderCarrier{} },
			carriertest.WithFoldedKeys(), nil)
	})
}

// TestRun_EachBrokenCarrierFailsItsRule breaks one promise at a time.
func TestRun_EachBrokenCarrierFailsItsRule(t *testing.T) {
	t.Parallel()
	proven := map[string]bool{}
	for _, tt := range brokenCarriers {
		proven[tt.rule] = true
		t.Run(tt.rule+"/"+tt.name, func(t *testing.T) {
			t.Parallel()
			failed, ran := carriertest.Failures(t, tt.carrier, tt.options...)
			if !slices.Contains(ran, tt.rule) {
				t.Fatalf("the rule did not run; these did: %v", ran)
			}
			for rule, why := range failed {
				if rule != tt.rule {
					t.Errorf("it breaks only %s, but fails %s: %s", tt.rule, rule, why)
				}
			}
			if !strings.Contains(failed[tt.rule], tt.says) {
				t.Errorf("the failure is %q, want it to say %q", failed[tt.rule], tt.says)
			}
			if failed[tt.rule] == "" {
				t.Error("the rule passes")
			}
		})
	}
	for _, rule := range carriertest.Rules() {
		if !proven[rule] {
			t.Errorf("no broken carrier proves the rule %s", rule)
		}
	}
}

// TestRunAccessors_EachBrokenCarrierFailsItsRule reads and writes the same carriers by a
// Getter and a Setter.
func TestRunAccessors_EachBrokenCarrierFailsItsRule(t *testing.T) {
	t.Parallel()
	for _, tt := range brokenCarriers {
		t.Run(tt.rule+"/"+tt.name, func(t *testing.T) {
			t.Parallel()
			accessor := accessorOf(tt.carrier())
			failed, ran := carriertest.AccessorFailures(t, tt.carrier, accessor, accessor, tt.options...)
			if !slices.Contains(ran, tt.rule) {
				t.Fatalf("the rule did not run; these did: %v", ran)
			}
			for rule, why := range failed {
				if rule != tt.rule {
					t.Errorf("it breaks only %s, but fails %s: %s", tt.rule, rule, why)
				}
			}
			if failed[tt.rule] == "" || !strings.Contains(failed[tt.rule], tt.says) {
				t.Errorf("the failure is %q, want it to say %q", failed[tt.rule], tt.says)
			}
		})
	}
}

// accessor is a Getter and a Setter.
type accessor interface {
	propagation.Getter[propagation.TextMapCarrier]
	propagation.Setter[propagation.TextMapCarrier]
}

// accessorOf returns an accessor with the optional methods that c has.
func accessorOf(c propagation.TextMapCarrier) accessor {
	switch c.(type) {
	case byteMap, limited, emptyBytes:
		return bytesMethods{}
	case clearsLate:
		return fieldsMethods{}
	case *list:
		return listMethods{}
	case *patched:
		return deleteMethods{}
	default:
		return keyMethods{}
	}
}

type keyMethods struct{ ownMethods }

func (keyMethods) Keys(c propagation.TextMapCarrier) []string { return c.Keys() }

type deleteMethods struct{ keyMethods }

func (deleteMethods) Delete(c propagation.TextMapCarrier, key string) {
	c.(interface{ Delete(key string) }).Delete(key)
}

type listMethods struct{ deleteMethods }

func (listMethods) Values(c propagation.TextMapCarrier, key string) []string {
	return c.(*list).Values(key)
}

type bytesMethods struct{ deleteMethods }

func (bytesMethods) GetBytes(c propagation.TextMapCarrier, key string) []byte {
	return c.(interface{ GetBytes(key string) []byte }).GetBytes(key)
}

type fieldsMethods struct{ keyMethods }

func (fieldsMethods) SetFields(c propagation.TextMapCarrier, fields propagation.Fields) {
	c.(interface {
		SetFields(fields propagation.Fields)
	}).SetFields(fields)
}

// TestRun_IntactCarriersPass runs the carriers that the broken ones are made of.
func TestRun_IntactCarriersPass(t *testing.T) {
	t.Parallel()
	t.Run("list", func(t *testing.T) {
		t.Parallel()
		carriertest.Run(t, func() propagation.TextMapCarrier { return &list{} }, listOptions(list{})...)
	})
	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		carriertest.Run(t, func() propagation.TextMapCarrier { return byteMap{} })
	})
	t.Run("list by accessors", func(t *testing.T) {
		t.Parallel()
		carriertest.RunAccessors(t, func() propagation.TextMapCarrier { return &list{} }, listMethods{}, listMethods{}, listOptions(list{})...)
	})
	t.Run("bytes by accessors", func(t *testing.T) {
		t.Parallel()
		carriertest.RunAccessors(t, func() propagation.TextMapCarrier { return byteMap{} }, bytesMethods{}, bytesMethods{})
	})
	t.Run("a list of which the last value counts", func(t *testing.T) {
		t.Parallel()
		options := append(listOptions(list{last: true}), carriertest.WithLastValue())
		carriertest.Run(t, func() propagation.TextMapCarrier { return &list{last: true} }, options...)
	})
}

func TestRun_AllRules(t *testing.T) {
	t.Parallel()
	_, ran := carriertest.Failures(t, func() propagation.TextMapCarrier { return &list{} }, listOptions(list{})...)
	_, ranBytes := carriertest.Failures(t, func() propagation.TextMapCarrier { return byteMap{} })
	for _, rule := range carriertest.Rules() {
		if !slices.Contains(ran, rule) && !slices.Contains(ranBytes, rule) {
			t.Errorf("%s ran on neither", rule)
		}
	}
}

func TestRun_OptionsDisableRules(t *testing.T) {
	t.Parallel()
	_, ran := carriertest.Failures(t, func() propagation.TextMapCarrier { return otelpropagation.MapCarrier{} },
		carriertest.WithoutNonASCII(),
		carriertest.WithFork[propagation.TextMapCarrier](nil),
		carriertest.WithRepeats[propagation.TextMapCarrier](nil),
		carriertest.WithEntries[propagation.TextMapCarrier](nil),
		carriertest.WithNil[propagation.TextMapCarrier](nil),
	)
	want := []string{
		"round_trip", "replaces", "clears", "keeps_other_keys", "case", "empty_values", "keys",
		"large_values", "punctuation", "concurrent_reads",
	}
	if diff := cmp.Diff(want, ran); diff != "" {
		t.Errorf("rules that ran (-want +got):\n%s", diff)
	}
}

func TestWithMaxBytes(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{4095, 4096} {
		failed, _ := carriertest.Failures(t, func() propagation.TextMapCarrier { return limited{byteMap{}, 4096} },
			carriertest.WithMaxBytes(limit))
		if len(failed) > 0 {
			t.Errorf("limit %d: %v", limit, failed)
		}
	}
	for _, limit := range []int{0, -1, 4097, 1 << 20} {
		failed, _ := carriertest.Failures(t, func() propagation.TextMapCarrier { return limited{byteMap{}, 4096} },
			carriertest.WithMaxBytes(limit))
		if _, ok := failed["large_values"]; !ok {
			t.Errorf("limit %d: a carrier of 4096 bytes passes", limit)
		}
	}
}

func TestRun_OptionsOfAnotherType(t *testing.T) {
	t.Parallel()
	newCarrier := func() propagation.TextMapCarrier { return &list{} }
	type other = map[string]string
	for name, option := range map[string]carriertest.Option{
		"WithNil":     carriertest.WithNil(func() other { return nil }),
		"WithFork":    carriertest.WithFork(func(o other) other { return o }),
		"WithRepeats": carriertest.WithRepeats(func(string, ...string) other { return nil }),
		"WithEntries": carriertest.WithEntries(func(other) int { return 0 }),
	} {
		if err := carriertest.FixtureError(newCarrier, option); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error is %v, want one that names the option", name, err)
		}
	}
	if carriertest.FixtureError(nil) == nil {
		t.Error("a nil constructor is taken")
	}
	if err := carriertest.FixtureError(func() propagation.TextMapCarrier { return nil }); err == nil {
		t.Error("a nil carrier is taken")
	}
	if err := carriertest.FixtureError(func() propagation.TextMapCarrier { panic("no room") }); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("the error of a constructor that panics is %v", err)
	}
	newMap := func() other { return other{} }
	read := propagation.GetterFunc[other](func(o other, key string) string { return o[key] })
	write := propagation.SetterFunc[other](func(o other, key, value string) { o[key] = value })
	if err := carriertest.AccessorFixtureError(newMap, read, write); err != nil {
		t.Error(err)
	}
	if carriertest.AccessorFixtureError(newMap, nil, write) == nil || carriertest.AccessorFixtureError(newMap, read, nil) == nil {
		t.Error("a nil accessor is taken")
	}
}

// TestRun_FailsTheTest runs the suite as users do, in a process of its own,
// because a failure of a subtest is a failure of its parent.
func TestRun_FailsTheTest(t *testing.T) {
	t.Parallel()
	command := exec.Command(os.Args[0], "-test.run=^TestRun_BrokenInAProcessOfItsOwn$", "-test.v")
	command.Env = append(os.Environ(), processOfItsOwn+"=1")
	out, err := command.CombinedOutput()
	if err == nil {
		t.Fatalf("the suite passes a broken carrier:\n%s", out)
	}
	var got []string
	for _, match := range regexp.MustCompile(`--- FAIL: \S+/(\w+)`).FindAllStringSubmatch(string(out), -1) {
		got = append(got, match[1])
	}
	if diff := cmp.Diff([]string{"case", "keys", "case"}, got); diff != "" {
		t.Errorf("failed subtests (-want +got):\n%s\n%s", diff, out)
	}
}

const processOfItsOwn = "CARRIERTEST_PROCESS_OF_ITS_OWN"

func TestRun_BrokenInAProcessOfItsOwn(t *testing.T) {
	if os.Getenv(processOfItsOwn) == "" {
		return // TestRun_FailsTheTest runs it.
	}
	canonical := func() propagation.TextMapCarrier { return otelpropagation.HeaderCarrier{} }
	carriertest.Run(t, canonical)
	carriertest.RunAccessors(t, canonical, ownMethods{}, ownMethods{})
}

// ownMethods reads and writes a TextMapCarrier by its methods.
type ownMethods struct{}

func (ownMethods) Get(c propagation.TextMapCarrier, key string) string { return c.Get(key) }
func (ownMethods) Set(c propagation.TextMapCarrier, key, value string) { c.Set(key, value) }
