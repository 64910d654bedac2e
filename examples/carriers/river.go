// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"

	"github.com/riverqueue/river/rivertype"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// River carries the context of each insert to the work on its job. It is a middleware
// of a client: river.Config{Middleware: []rivertype.Middleware{River{}}}. A context
// that a job already has is kept. A table keeps jobs, so they carry no baggage.
type River struct{}

// IsMiddleware reports that River is a middleware.
func (River) IsMiddleware() bool { return true }

// InsertMany writes the context of ctx to the metadata of each job.
func (River) InsertMany(ctx context.Context, jobs []*rivertype.JobInsertParams, insert func(context.Context) ([]*rivertype.JobInsertResult, error)) ([]*rivertype.JobInsertResult, error) {
	for _, job := range jobs {
		propagation.InjectTextMap(ctx, carriers.JSON(&job.Metadata),
			propagation.WithPolicy(propagation.KeepExisting), propagation.WithoutBaggage())
	}
	return insert(ctx)
}

// Work calls work with the context of job.
func (River) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	return work(propagation.ExtractTextMap(ctx, carriers.JSON(&job.Metadata)))
}
