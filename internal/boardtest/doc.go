// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package boardtest reads the boards of package dashboards with the types that
// Grafana publishes, and evaluates their expressions with the engine of Prometheus.
// It is a module of its own, so that these are in no user's build; see
// docs/adr/0009-boards.md.
package boardtest
