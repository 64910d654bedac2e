// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package local runs the servers of the examples in this process: a Kafka broker and
// a MongoDB server that speak their wire protocols, and small servers for the calls
// that the examples make to Kubernetes, Databricks, an OTLP receiver, and a
// Pushgateway.
//
// All listen on the loopback interface, on a port that the system chooses.
package local
