// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// maxAnnotations is how many bytes the annotations of an object may have, keys
// and values added up.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/
const maxAnnotations = 256 << 10

// haveRoom reports whether an object may have annotations.
func haveRoom(annotations map[string]string) bool {
	total := 0
	for key, value := range annotations {
		total += len(key) + len(value)
	}
	return total <= maxAnnotations
}

// fit drops the fields for which annotations have no room. The error is
// [ErrTooLarge].
func (in *injection) fit(annotations map[string]string) error {
	return in.shrink(in.fields.ShrinkFunc(func(fields propagation.Fields) bool {
		return haveRoom(in.annotate(annotations, fields, in.cfg.prefix))
	}))
}

// maxContexts is how many bytes the contexts of all containers of an object may have:
// a third of an object that etcd takes by default.
const maxContexts = 512 << 10

// fitContainers drops the fields for which so many containers have no room. The error is
// [ErrTooLarge].
func (in *injection) fitContainers(count int) error {
	return in.shrink(in.fields.Shrink(max(maxContexts/count, 1)))
}

// shrink leaves what fits of the fields. The error is [ErrTooLarge].
func (in *injection) shrink(fitting propagation.Fields) error {
	if fitting.Len() == in.fields.Len() {
		return nil
	}
	in.cfg.drop(observe.DropTooLarge)
	if fitting.Len() == 0 {
		return ErrTooLarge
	}
	for i := range in.fields.Len() {
		if key := in.fields.Key(i); fitting.Value(key) == "" {
			delete(in.values, key)
		}
	}
	in.fields = fitting
	return nil
}
