// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/stages"
)

// report is a run of a Databricks job. It writes what assess found in a batch. Its
// parameters have the name of the batch, and the context that it continues. report.py
// does the same.
func report(ctx context.Context, s *service, args []string) error {
	parameters := map[string]string{}
	for _, arg := range args {
		key, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		parameters[key] = value
	}
	pipeline, err := s.newPipeline("report")
	if err != nil {
		return err
	}
	write, err := pipeline.Stage("write", stages.WithSource(collectionAssessments))
	if err != nil {
		return err
	}
	ctx = jobcarrier.Extract(ctx, parameters)
	return pipeline.Run(ctx, func(ctx context.Context) error {
		return write.Run(ctx, func(ctx context.Context) error { return s.writeReport(ctx, parameters["batch"]) })
	}, stages.WithParameter("batch", parameters["batch"]), stages.WithFlush(s.flush))
}

// writeReport writes the report of a batch.
func (s *service) writeReport(ctx context.Context, batch string) error {
	var found assessment
	err := s.db.Collection(collectionAssessments).FindOne(ctx, bson.D{{Key: "_id", Value: batch}}).Decode(&found)
	if err != nil {
		return fmt.Errorf("the assessment of the batch %q: %w", batch, err)
	}
	run := stages.FromContext(ctx)
	run.Read(len(found.Regions))

	var text strings.Builder
	fmt.Fprintf(&text, "# Strong earthquakes by region\n\nBatch %s\n\n| Region | Quakes | Strongest | Where |\n|---|--:|--:|---|\n", batch)
	for _, r := range found.Regions {
		fmt.Fprintf(&text, "| %s | %d | %.1f | %s |\n", r.Name, r.Quakes, r.Strongest, r.Place)
	}
	name := batch + ".md"
	if err := os.WriteFile(filepath.Join(setting(envReports), name), []byte(text.String()), 0o644); err != nil {
		return err
	}
	run.Wrote(len(found.Regions))
	s.log.InfoContext(ctx, "written", "report", name, "regions", len(found.Regions))
	return nil
}
