// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/waybill-go/waybill/propagation"
)

// Carrier is the environment of a container as a [propagation.TextMapCarrier]:
//
//	propagation.InjectTextMap(ctx, (*k8scarrier.Carrier)(&container.Env))
//
// Keys become names of variables, such as TRACEPARENT, and each $ of a value is
// doubled. Set leaves one entry of a name and puts a new one first. Set and
// Delete replace the slice and never write into the old one, so objects that
// share it stay as they are. A nil *Carrier holds nothing and takes nothing. A
// Carrier may be read concurrently, and be changed by one at a time. Unlike
// [InjectEnv] it lets baggage pass, unless the function is told otherwise.
type Carrier []corev1.EnvVar

// Compile-time check that Carrier implements TextMapCarrier.
var _ propagation.TextMapCarrier = (*Carrier)(nil)

// Get returns the literal value under key as the process gets it, or "". Of
// several entries the last counts, as it does for kubelet.
func (c *Carrier) Get(key string) string {
	if c == nil {
		return ""
	}
	return reader{}.Get(*c, key)
}

// Set makes value the only one under key. A value that no process can be
// started with is left out, and the entry with it: one that holds a NUL, and one
// that makes NAME=value longer than the 131,071 bytes that Linux takes.
func (c *Carrier) Set(key, value string) {
	if c == nil {
		return
	}
	name := envName(key)
	if passable(name, value) {
		*c = merge(*c, entries{name: literal(name, value)})
	} else {
		*c = merge(*c, entries{name: nil})
	}
}

// Delete removes every entry under key.
func (c *Carrier) Delete(key string) {
	if c != nil {
		*c = merge(*c, entries{envName(key): nil})
	}
}

// Keys returns the names of the variables that keys become, each once.
func (c *Carrier) Keys() []string {
	if c == nil {
		return nil
	}
	return reader{}.Keys(*c)
}

// EnvSetter makes the environment of a container a carrier for functions that
// take accessors, such as [propagation.Inject]:
//
//	propagation.Inject(ctx, &container.Env, k8scarrier.EnvSetter{})
//
// It is a Setter, Getter, Deleter and Keyer of *[]corev1.EnvVar, with the
// promises of [Carrier]. The zero value is ready and safe for concurrent use on
// different carriers. A nil pointer holds nothing and takes nothing.
type EnvSetter struct{}

// Compile-time checks of what an EnvSetter is.
var (
	_ propagation.Setter[*[]corev1.EnvVar]  = EnvSetter{}
	_ propagation.Getter[*[]corev1.EnvVar]  = EnvSetter{}
	_ propagation.Deleter[*[]corev1.EnvVar] = EnvSetter{}
	_ propagation.Keyer[*[]corev1.EnvVar]   = EnvSetter{}
)

// Set makes value the only one under key, as [Carrier.Set] does.
func (EnvSetter) Set(env *[]corev1.EnvVar, key, value string) { (*Carrier)(env).Set(key, value) }

// Get returns the literal value under key, as [Carrier.Get] does.
func (EnvSetter) Get(env *[]corev1.EnvVar, key string) string { return (*Carrier)(env).Get(key) }

// Delete removes every entry under key.
func (EnvSetter) Delete(env *[]corev1.EnvVar, key string) { (*Carrier)(env).Delete(key) }

// Keys returns the names of the variables that keys become, each once.
func (EnvSetter) Keys(env *[]corev1.EnvVar) []string { return (*Carrier)(env).Keys() }
