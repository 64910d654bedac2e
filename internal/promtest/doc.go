// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package promtest tests the rules, boards and runbooks of waybill with the parser
// of Prometheus. It is a module of its own, because Prometheus has over a hundred
// dependencies.
package promtest
