// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/waybill-go/waybill/examples/internal/program"
)

func TestOutboxKeepsOneTrace(t *testing.T) {
	t.Parallel()
	program.Compare(t, program.Output(t), `shop      same trace: true
relay     same trace: true
warehouse same trace: true
"tea" has come over 2 hops from the relay
shop      same trace: true
relay     same trace: true
warehouse same trace: true
"coffee" has come over 2 hops from the shop
`)
}
