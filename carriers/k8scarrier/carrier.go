// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// Carrier adapts the environment of a container to [propagation.TextMapCarrier]:
//
//	propagation.InjectTextMap(ctx, (*k8scarrier.Carrier)(&container.Env))
//
// Keys become the names of variables, such as TRACEPARENT; if two have one name, the
// last one wins. Each $ of a value is doubled. Set keeps a single entry per name and
// inserts new entries at the front. Set and Delete replace the slice and do not write
// to the old one, so objects that share it do not change. Unlike [InjectEnv], it
// carries baggage unless the function is told otherwise.
//
// A nil *Carrier is empty, and Set is a no-op. A Carrier must not be modified
// concurrently.
type Carrier []corev1.EnvVar

var _ propagation.TextMapCarrier = (*Carrier)(nil)

// Get returns the literal value of key as the process gets it, or the empty
// string. If its variable occurs more than once, the last entry wins, as for
// kubelet.
func (c *Carrier) Get(key string) string {
	if c == nil {
		return ""
	}
	return envReader{}.Get(*c, key)
}

// Set replaces the value of key. If no process gets value unchanged, Set removes
// the variable: that is a value with a NUL, one that is not UTF-8, or one that
// makes NAME=value longer than the 131,071 bytes that Linux accepts.
func (c *Carrier) Set(key, value string) {
	if c == nil {
		return
	}
	name := envcarrier.Normalize(key)
	if passable(name, value) {
		*c = mergeEnv(*c, variables{name: literal(name, value)}, nil)
	} else {
		*c = mergeEnv(*c, variables{name: nil}, nil)
	}
}

// Delete removes every entry for key.
func (c *Carrier) Delete(key string) {
	if c != nil {
		*c = mergeEnv(*c, variables{envcarrier.Normalize(key): nil}, nil)
	}
}

// Keys returns the names in the environment that are normalized, each once.
func (c *Carrier) Keys() []string {
	if c == nil {
		return nil
	}
	return envReader{}.Keys(*c)
}

// EnvSetter is an accessor of the environment of a container, for functions such
// as [propagation.Inject]:
//
//	propagation.Inject(ctx, &container.Env, k8scarrier.EnvSetter{})
//
// It is a Setter, Getter, Deleter and Keyer of *[]corev1.EnvVar, and behaves as
// [Carrier] does. The zero value is ready to use. An EnvSetter is safe for
// concurrent use on different carriers.
type EnvSetter struct{}

var (
	_ propagation.Setter[*[]corev1.EnvVar]  = EnvSetter{}
	_ propagation.Getter[*[]corev1.EnvVar]  = EnvSetter{}
	_ propagation.Deleter[*[]corev1.EnvVar] = EnvSetter{}
	_ propagation.Keyer[*[]corev1.EnvVar]   = EnvSetter{}
)

// Set replaces the value of key, as [Carrier.Set] does.
func (EnvSetter) Set(env *[]corev1.EnvVar, key, value string) { (*Carrier)(env).Set(key, value) }

// Get returns the literal value of key, as [Carrier.Get] does.
func (EnvSetter) Get(env *[]corev1.EnvVar, key string) string { return (*Carrier)(env).Get(key) }

// Delete removes every entry for key.
func (EnvSetter) Delete(env *[]corev1.EnvVar, key string) { (*Carrier)(env).Delete(key) }

// Keys returns the names in the environment that are normalized, each once.
func (EnvSetter) Keys(env *[]corev1.EnvVar) []string { return (*Carrier)(env).Keys() }
