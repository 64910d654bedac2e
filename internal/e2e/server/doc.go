// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package server gives tests the servers they talk to.
//
//	                in this process   as a process of its own   instead of that
//	Kafka           [FakeKafka]       [Kafka]                   KAFKA_BROKERS
//	MongoDB         [FerretDB]        [Mongo]                   MONGODB_URI
//	Prometheus                        [Prometheus]
//	Alertmanager                      [Alertmanager]
//	Pushgateway                       [Pushgateway]
//
// The two of a row have one type, so one suite runs against both; what needs
// processes has the build tag e2e. A server is ready when the function returns,
// and gone, with what it stored, when the test ends. Each listens on free ports
// of the loopback interface, so tests that run at the same time do not meet.
// [Promtool] runs promtool.
//
// A process of its own is a program from the folder that `make e2e-deps` fills,
// and a test fails with that advice if it is not there. A server that the
// environment names is used as it is, and neither started nor stopped; whoever
// runs the tests against it clears it.
package server
