// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package local has the servers of the examples for a machine that has none:
// real ones in this process for Kafka and MongoDB, which speak their own wire
// protocols, and small ones for the few calls the examples make of a Kubernetes
// API server, of Databricks, of an OTLP receiver and of a Pushgateway.
//
// All listen on the loopback interface, on a port the system chooses.
package local
