// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package kafkacarrier carries a trace context over Kafka with kafka-go.
package kafkacarrier
