// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	applyv1 "k8s.io/client-go/applyconfigurations/batch/v1"
	batchv1client "k8s.io/client-go/kubernetes/typed/batch/v1"
)

// noClient stands in for a client that is nil. Its methods return [ErrNil].
type noClient struct{ batchv1client.JobInterface }

func (noClient) Create(context.Context, *batchv1.Job, metav1.CreateOptions) (*batchv1.Job, error) {
	return nil, ErrNil
}

func (noClient) Update(context.Context, *batchv1.Job, metav1.UpdateOptions) (*batchv1.Job, error) {
	return nil, ErrNil
}

func (noClient) UpdateStatus(context.Context, *batchv1.Job, metav1.UpdateOptions) (*batchv1.Job, error) {
	return nil, ErrNil
}

func (noClient) Delete(context.Context, string, metav1.DeleteOptions) error { return ErrNil }

func (noClient) DeleteCollection(context.Context, metav1.DeleteOptions, metav1.ListOptions) error {
	return ErrNil
}

func (noClient) Get(context.Context, string, metav1.GetOptions) (*batchv1.Job, error) {
	return nil, ErrNil
}

func (noClient) List(context.Context, metav1.ListOptions) (*batchv1.JobList, error) {
	return nil, ErrNil
}

func (noClient) Watch(context.Context, metav1.ListOptions) (watch.Interface, error) {
	return nil, ErrNil
}

func (noClient) Patch(context.Context, string, types.PatchType, []byte, metav1.PatchOptions, ...string) (*batchv1.Job, error) {
	return nil, ErrNil
}

func (noClient) Apply(context.Context, *applyv1.JobApplyConfiguration, metav1.ApplyOptions) (*batchv1.Job, error) {
	return nil, ErrNil
}

func (noClient) ApplyStatus(context.Context, *applyv1.JobApplyConfiguration, metav1.ApplyOptions) (*batchv1.Job, error) {
	return nil, ErrNil
}
