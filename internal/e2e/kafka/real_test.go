// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package kafka_test

import (
	"testing"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

func TestApacheKafka(t *testing.T) {
	testBroker(t, server.Kafka)
}
