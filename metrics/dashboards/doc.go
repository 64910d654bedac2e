// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package dashboards has boards for Grafana.
package dashboards
