// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/waybill-go/waybill/carriers/carriertest"
	"github.com/waybill-go/waybill/examples/internal/program"
)

// The suite is all the tests such a carrier needs.
func TestCarrier(t *testing.T) {
	t.Parallel()
	carriertest.RunAccessors(t, func() *parcel { return &parcel{} }, onLabels{}, onLabels{})
}

func TestProgramPrintsTheLabels(t *testing.T) {
	t.Parallel()
	program.Compare(t, program.Output(t), `to           Hualian
traceparent  00-<trace>-<span>-01
waybill      <times>-0001
one trace: true
`)
}
