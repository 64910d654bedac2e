// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command peerbench measures kafkacarrier beside other libraries that carry a
// trace context over Kafka, and stages beside other libraries that measure what
// runs in them, and prints what it finds as tables in Markdown.
//
//	go run . [-part carriers,calls,stages,throughput] [-rounds 7] [-time 100ms] [-seconds 1s]
//
// Every library is driven by what it exports, with the same context, the same
// propagator, and messages of the same shape. All of a table are measured in
// turns, in a new order each round, and the table shows the medians. What one
// operation costs is the time that the process has on its one processor. The
// part throughput starts Apache Kafka and needs `make e2e-deps`.
package main
