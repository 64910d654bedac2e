// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.opentelemetry.io/otel"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/stages"
)

// assessment is what assess finds in a batch.
type assessment struct {
	Batch   string   `bson:"_id"`
	Regions []region `bson:"regions"`
}

// region sums up the quakes of a region.
type region struct {
	Name      string  `bson:"name"`
	Quakes    int     `bson:"quakes"`
	Strongest float64 `bson:"strongest"`
	Place     string  `bson:"place"` // The place of the strongest quake.
}

// assess is a Kubernetes Job. It sums up a batch, which its argument names, by
// region, and starts a Databricks run that reports the result. Its environment has
// the context that it continues.
func assess(ctx context.Context, s *service, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: quakes assess BATCH")
	}
	pipeline, err := s.newPipeline("assess")
	if err != nil {
		return err
	}
	summarise, err := pipeline.Stage("summarise", stages.WithSource(collectionQuakes))
	if err != nil {
		return err
	}
	trigger, err := pipeline.Stage("trigger")
	if err != nil {
		return err
	}
	if job, ok := envcarrier.KubernetesJob(); ok {
		s.log.InfoContext(ctx, "started", "job", job.Name, "pod", job.Pod)
	}

	ctx = envcarrier.Extract(ctx)
	return pipeline.Run(ctx, func(ctx context.Context) error {
		if faulty(faultEnd) {
			ctx, _ = otel.Tracer("quakes").Start(ctx, "assess batch") //nolint:spancheck // That is the fault.
		}
		found, err := stages.Wrap(summarise, s.summariseBatch)(ctx, args[0])
		if err != nil {
			return err
		}
		return trigger.Run(ctx, func(ctx context.Context) error { return triggerReport(ctx, found.Batch) })
	}, stages.WithParameter("batch", args[0]), stages.WithFlush(s.flush))
}

// summariseBatch sums up the quakes of a batch and stores what it finds.
func (s *service) summariseBatch(ctx context.Context, batch string) (assessment, error) {
	cursor, err := s.db.Collection(collectionQuakes).Find(ctx, bson.D{{Key: fieldJob, Value: batch}})
	if err != nil {
		return assessment{}, err
	}
	var quakes []quake
	if err := cursor.All(ctx, &quakes); err != nil {
		return assessment{}, err
	}
	run := stages.FromContext(ctx)
	run.Read(len(quakes))
	found := assessment{Batch: batch, Regions: byRegion(quakes)}
	if _, err := s.db.Collection(collectionAssessments).InsertOne(ctx, found); err != nil {
		return assessment{}, err
	}
	run.Wrote(len(found.Regions))
	return found, nil
}

// byRegion sums up quakes by region. The region with the strongest quake comes first.
func byRegion(quakes []quake) []region {
	var regions []region
	for _, q := range quakes {
		i := slices.IndexFunc(regions, func(r region) bool { return r.Name == q.Region })
		if i < 0 {
			i = len(regions)
			regions = append(regions, region{Name: q.Region})
		}
		r := &regions[i]
		r.Quakes++
		if q.Magnitude > r.Strongest {
			r.Strongest, r.Place = q.Magnitude, q.Place
		}
	}
	slices.SortStableFunc(regions, func(a, b region) int { return cmp.Compare(b.Strongest, a.Strongest) })
	return regions
}

// triggerReport starts the run that reports a batch, with the context in its
// parameters, and waits for its end.
func triggerReport(ctx context.Context, batch string) error {
	parameters, err := jobcarrier.Inject(ctx, map[string]string{"batch": batch}, jobcarrier.Databricks())
	if err != nil {
		return err
	}
	job, err := strconv.ParseInt(setting(envDatabricksJob), 10, 64)
	if err != nil {
		return fmt.Errorf("%s: %w", envDatabricksJob, err)
	}
	api, err := databricksJobs(setting(envDatabricksHost), setting(envDatabricksToken))
	if err != nil {
		return err
	}
	run, err := api.RunNow(ctx, jobs.RunNow{JobId: job, JobParameters: parameters})
	if err != nil {
		return err
	}
	_, err = run.Get()
	return err
}
