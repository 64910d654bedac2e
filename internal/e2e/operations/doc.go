// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package operations tests the boards and the alerts with a real Prometheus,
// Alertmanager and Pushgateway, against pipelines that run and are broken on
// purpose.
package operations
