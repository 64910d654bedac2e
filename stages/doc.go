// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package stages puts spans, metrics and outcomes around the steps of a data
// pipeline.
package stages
