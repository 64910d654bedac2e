// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/examples/internal/program"
)

func TestProgramPrintsTheRequestAndContinuesTheTrace(t *testing.T) {
	t.Parallel()
	program.Compare(t, program.Output(t), `{
  "job_id": 1,
  "job_parameters": {
    "region": "Taiwan",
    "traceparent": "00-<trace>-<span>-01",
    "waybill": "<times>-0001"
  }
}
one trace: true
`)
}

// The job itself declares the parameters, in the SDK's own type.
func TestDefinitionsConvertToTheSDK(t *testing.T) {
	t.Parallel()
	for _, definition := range jobcarrier.ParameterDefinitions() {
		if got := jobs.JobParameterDefinition(definition); got.Name != definition.Name || got.Default != "" {
			t.Errorf("%+v converts to %+v", definition, got)
		}
	}
}
