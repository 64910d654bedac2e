// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"

	"github.com/riverqueue/river/rivertype"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// River carries the context of each insert to the work on its job, as the
// middleware of a client: river.Config{Middleware: []rivertype.Middleware{River{}}}.
// A context that a job has already is kept. Jobs carry no baggage, as their
// table keeps them.
type River struct{}

// IsMiddleware says that River is one.
func (River) IsMiddleware() bool { return true }

// InsertMany puts the context of ctx in the metadata of each job.
func (River) InsertMany(ctx context.Context, jobs []*rivertype.JobInsertParams, insert func(context.Context) ([]*rivertype.JobInsertResult, error)) ([]*rivertype.JobInsertResult, error) {
	for _, job := range jobs {
		propagation.InjectTextMap(ctx, carriers.JSON(&job.Metadata),
			propagation.WithPolicy(propagation.KeepExisting), propagation.WithoutBaggage())
	}
	return insert(ctx)
}

// Work runs work with the context that job carries.
func (River) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	return work(propagation.ExtractTextMap(ctx, carriers.JSON(&job.Metadata)))
}
