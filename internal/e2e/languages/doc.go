// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package languages tests flows through programs in Python, JavaScript and Java,
// each with the OpenTelemetry of its own language and the folder peers as its
// source, and what the command says of them. The tests have the build tag e2e.
package languages
