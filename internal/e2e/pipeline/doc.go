// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package pipeline is a data pipeline of several processes that a test breaks on
// purpose.
//
// A source writes the rows of any number of pipelines to a Kafka topic each. A
// worker reads the topic of one pipeline, validates the rows, and hands them over
// a queue to the stage that loads them. A job runs once and pushes its metrics.
// Each process serves /metrics, and a test injects a [Fault] into it over HTTP.
//
// The processes are the test binary itself: its TestMain calls [Main].
package pipeline
