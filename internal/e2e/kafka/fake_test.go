// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafka_test

import (
	"testing"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

func TestFakeKafka(t *testing.T) {
	t.Parallel()
	testBroker(t, server.FakeKafka)
}
