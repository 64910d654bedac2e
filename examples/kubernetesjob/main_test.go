// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/waybill-go/waybill/examples/internal/program"
)

func TestProgramPrintsTheJobWithTheContext(t *testing.T) {
	t.Parallel()
	program.Compare(t, program.Output(t), `apiVersion: batch/v1
kind: Job
metadata:
  name: assess
spec:
  template:
    metadata: {}
    spec:
      containers:
      - env:
        - name: TRACEPARENT
          value: 00-<trace>-<span>-01
        - name: WAYBILL
          value: <times>-0001
        - name: REGION
          value: Taiwan
        image: example.com/assess:1
        name: assess
        resources: {}
      restartPolicy: Never
status: {}
`)
}
