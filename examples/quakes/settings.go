// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "os"

// The environment of the services, which has the addresses of the servers.
const (
	envRun           = "QUAKES_RUN" // The id of this run of the demo.
	envKafka         = "QUAKES_KAFKA"
	envGroup         = "QUAKES_GROUP"
	envMongo         = "QUAKES_MONGO"
	envDatabase      = "QUAKES_DATABASE"
	envImage         = "QUAKES_IMAGE"
	envReports       = "QUAKES_REPORTS"
	envDatabricksJob = "QUAKES_DATABRICKS_JOB"
	envBatch         = "QUAKES_BATCH" // What a Job assesses.
	envPushgateway   = "QUAKES_PUSHGATEWAY"
	envInstance      = "QUAKES_INSTANCE"
	envBreak         = "QUAKES_BREAK"      // The fault that --break plants.
	envSupervised    = "QUAKES_SUPERVISED" // Standard input closes when the supervisor ends.

	// These are read by the clients themselves.
	envKubeconfig      = "KUBECONFIG"
	envDatabricksHost  = "DATABRICKS_HOST"
	envDatabricksToken = "DATABRICKS_TOKEN"
	envOTLP            = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envDelay           = "OTEL_BSP_SCHEDULE_DELAY" // In milliseconds.
	envResource        = "OTEL_RESOURCE_ATTRIBUTES"
	envJournal         = "WAYBILL_JOURNAL"
)

// podSettings are the settings that the pod of a Job needs.
var podSettings = []string{
	envMongo, envDatabase, envReports, envDatabricksJob, envPushgateway,
	envDatabricksHost, envDatabricksToken, envOTLP, envBreak, envJournal,
}

// The topics, the number of their partitions, and the collections.
const (
	topicRaw      = "quakes.raw"
	topicRejected = "quakes.rejected"
	partitions    = 6

	collectionCatalog     = "catalog"     // Events as they are published.
	collectionQuakes      = "quakes"      // What clean loads.
	collectionAssessments = "assessments" // What assess finds.
)

// setting returns a variable of the environment.
func setting(name string) string { return os.Getenv(name) }
