// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package execute runs a command as a job of a flow: it finds the context that the job
// was started with, opens a span for the job, hands the span to the command, and records
// how the command ended. To the command, and to whoever started it, the job behaves as
// if the command ran alone.
package execute
