// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package otlp converts OTLP messages to the spans of a test, and these to a file that
// the command waybill reads.
package otlp
