// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/waybill-go/waybill/examples/internal/program"
)

func TestDocumentCarriesTheTrace(t *testing.T) {
	t.Parallel()
	program.Compare(t, program.Output(t),
		`{"_id":1,"region":"Taiwan","_otel":{"traceparent":"00-<trace>-<span>-01","waybill":"<times>-0001"}}
one trace: true
`)
}
