// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package metrics measures stages for Prometheus.
package metrics
