// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package otlp sends spans by OTLP, over HTTP or gRPC, as the environment variables of
// OpenTelemetry say. It stands for the exporters of OpenTelemetry in a program that must
// start fast and be small: those link all of gRPC, which is 4 MB of waybill.
package otlp
