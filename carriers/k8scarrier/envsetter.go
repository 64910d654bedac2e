// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/waybill-go/waybill/propagation"
)

// EnvSetter makes the environment of a container a carrier for functions that
// take accessors, such as [propagation.Inject]:
//
//	propagation.Inject(ctx, &container.Env, k8scarrier.EnvSetter{})
//
// It is a Setter, Getter, Deleter and Keyer of *[]corev1.EnvVar. Keys become
// names of variables, such as TRACEPARENT, and each $ of a value is doubled. Set
// leaves one entry of a name and puts a new one first. It replaces the slice
// and never writes into the old one, so objects that share it stay as they are.
//
// The zero value is ready and safe for concurrent use on different carriers. A
// nil pointer holds nothing and takes nothing. Unlike [InjectEnv] it lets
// baggage pass, unless the function is told otherwise.
type EnvSetter struct{}

// Compile-time checks of what an EnvSetter is.
var (
	_ propagation.Setter[*[]corev1.EnvVar]  = EnvSetter{}
	_ propagation.Getter[*[]corev1.EnvVar]  = EnvSetter{}
	_ propagation.Deleter[*[]corev1.EnvVar] = EnvSetter{}
	_ propagation.Keyer[*[]corev1.EnvVar]   = EnvSetter{}
)

// Set makes value the only one under key.
func (EnvSetter) Set(env *[]corev1.EnvVar, key, value string) {
	if env != nil {
		name := envName(key)
		*env = merge(*env, entries{name: {Name: name, Value: escape(value)}})
	}
}

// Get returns the literal value under key as the process gets it, or "". Of
// several entries the last counts, as it does for kubelet.
func (EnvSetter) Get(env *[]corev1.EnvVar, key string) string {
	if env == nil {
		return ""
	}
	return valueOf(*env, envName(key))
}

// Delete removes every entry under key.
func (EnvSetter) Delete(env *[]corev1.EnvVar, key string) {
	if env != nil {
		*env = merge(*env, entries{envName(key): nil})
	}
}

// Keys returns the names of the variables that keys become, each once.
func (EnvSetter) Keys(env *[]corev1.EnvVar) []string {
	if env == nil {
		return nil
	}
	var keys []string
	for i, entry := range *env {
		if entry.Name != "" && envName(entry.Name) == entry.Name && lastOf((*env)[:i], entry.Name) == nil {
			keys = append(keys, entry.Name)
		}
	}
	return keys
}
