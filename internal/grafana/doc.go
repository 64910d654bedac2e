// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package grafana reads the boards of package dashboards with the types that Grafana
// publishes. It is a module of its own, so that these types are in no user's build;
// see docs/adr/0009-boards.md.
package grafana
