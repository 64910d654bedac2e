// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"

	"github.com/waybill-go/waybill/carriers/envcarrier"
)

// The environment variables that make this program a job, and tell where its spans go.
const (
	jobVariable      = "DIAGNOSIS_JOB"
	endpointVariable = "DIAGNOSIS_ENDPOINT"
)

// jobs are the jobs, by the value of their variable.
var jobs = map[string]func(context.Context, *service){"fault": p03Fault, "cure": p03Cure}

// runJob runs a job and exits, if this process was started as one.
func runJob() {
	job, ok := jobs[os.Getenv(jobVariable)]
	if !ok {
		return
	}
	s := &system{endpoint: os.Getenv(endpointVariable), replicas: make(map[string]int)}
	job(envcarrier.Extract(context.Background()), s.service("job"))
	os.Exit(0)
}

// startingJob lets api start a job, which is this program in another process.
func startingJob(name string) code {
	return func(ctx context.Context, s *system) error {
		program, err := os.Executable()
		if err != nil {
			return err
		}
		ctx, span := s.api.Start(ctx, "start nightly load")
		defer span.End()
		cmd := exec.CommandContext(ctx, program)
		cmd.Env = append(os.Environ(), jobVariable+"="+name, endpointVariable+"="+s.endpoint)
		envcarrier.Command(ctx, cmd)
		var failed *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &failed) {
			return err
		}
		return nil // The job fails, as a job does sometimes.
	}
}

var errDiskFull = errors.New("the disk is full")

// load is what the job does until it fails. Its stages were exported before, as those
// of any job that runs for more than some seconds.
func load(ctx context.Context, job *service) error {
	for _, stage := range []string{"extract", "transform"} {
		_, span := job.Start(ctx, stage)
		span.End()
	}
	return errors.Join(job.provider.ForceFlush(ctx), errDiskFull)
}
