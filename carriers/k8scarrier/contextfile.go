// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"fmt"
	"io/fs"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// contextFile is a file in a volume of a pod.
type contextFile struct{ volume, path string }

// WithContextFile makes the variables of the containers, but not of the init containers,
// come from a file that an init container writes with envcarrier.WriteFile, so that their
// spans are children of its span. Without it, all are siblings. The init containers, also
// sidecars, get the context as they do otherwise.
//
// The volume is an emptyDir of the pod that an init container mounts, and path is relative
// to it; the other containers need not mount it. For any other pod the error is
// [ErrContextFile]. A container is not started before the file is there, so an init
// container must write one even if it has no span.
//
// It needs Kubernetes 1.35. A variable that the file does not hold is unset, or has the
// value that EnvFrom brings, which nothing can mask. The option has no effect on
// [InjectEnv], on [InjectAnnotations] and on the containers of [WithContainerPath], whose
// pod is not known.
func WithContextFile(volume, path string) Option {
	return option(func(cfg *config) { cfg.file = &contextFile{volume: volume, path: path} })
}

// variable returns a variable with the value that the file has for name.
// https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-via-file/
func (f *contextFile) variable(name string) *corev1.EnvVar {
	return &corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
		FileKeyRef: &corev1.FileKeySelector{VolumeName: f.volume, Path: f.path, Key: name, Optional: new(true)},
	}}
}

// holds reports whether ref refers to the variable called name in the file.
func (f *contextFile) holds(ref *corev1.FileKeySelector, name string) bool {
	return f != nil && ref.VolumeName == f.volume && ref.Path == f.path && ref.Key == name
}

// check returns an [ErrContextFile] if no init container of a pod can write the file, or
// the API server would refuse a reference to it.
func (f *contextFile) check(pod corev1.PodSpec) error {
	volume := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == f.volume })
	isWritable := func(m corev1.VolumeMount) bool { return m.Name == f.volume && !m.ReadOnly }
	switch {
	case !fs.ValidPath(f.path) || f.path == ".":
		return fmt.Errorf("%w: the path %q is not one in a volume", ErrContextFile, f.path)
	case volume < 0:
		return fmt.Errorf("%w: the pod has no volume %q", ErrContextFile, f.volume)
	case pod.Volumes[volume].EmptyDir == nil:
		return fmt.Errorf("%w: the volume %q is not an emptyDir", ErrContextFile, f.volume)
	case !slices.ContainsFunc(pod.InitContainers, func(c corev1.Container) bool { return slices.ContainsFunc(c.VolumeMounts, isWritable) }):
		return fmt.Errorf("%w: no init container can write to the volume %q", ErrContextFile, f.volume)
	}
	return nil
}
