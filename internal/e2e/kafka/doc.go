// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package kafka tests kafkacarrier against brokers, in this process and real,
// and against the headers that other instrumentations write.
package kafka
