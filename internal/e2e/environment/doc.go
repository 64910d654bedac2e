// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package environment compares envcarrier with OpenTelemetry's own carrier for
// environment variables, which is for the environment of this process only.
package environment
