// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command assess is the program that the Job of kubernetesjob runs. It finds the
// context of who created the Job in its environment.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/waybill-go/waybill/examples/internal/telemetry"
	"github.com/waybill-go/waybill/job"
	"github.com/waybill-go/waybill/stages"
)

var assess = stages.Must(stages.NewPipeline("assess"))

func main() {
	telemetry.Start(context.Background())
	job.Main(assess, run) // It sends the spans that are left, and exits as run ends.
}

func run(ctx context.Context) error {
	region := os.Getenv("REGION")
	if region == "" {
		return errors.New("REGION is not set")
	}
	stages.FromContext(ctx).Read(1)
	fmt.Println("assessing", region)
	return nil
}
