// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package monitoring is empty. Its module pins the versions of Prometheus,
// promtool, Alertmanager and the Pushgateway, which deps.sh builds as tools.
// They are in a module of their own because they require hundreds of others.
package monitoring
