// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log"
)

// The job exits where it fails, so no deferred call runs: its span never ends.
func p03Fault(ctx context.Context, job *service) {
	defer job.provider.Shutdown(ctx)
	ctx, span := job.Start(ctx, "nightly load")
	defer span.End()
	if err := load(ctx, job); err != nil {
		log.Fatal(err)
	}
}

// The job returns where it fails.
func p03Cure(ctx context.Context, job *service) {
	defer job.provider.Shutdown(ctx)
	ctx, span := job.Start(ctx, "nightly load")
	defer span.End()
	if err := load(ctx, job); err != nil {
		log.Print(err)
		return
	}
}
