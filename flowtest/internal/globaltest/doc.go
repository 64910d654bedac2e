// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package globaltest tests Flow.Global in a binary of its own, because the tests
// of package flowtest fail whoever uses the global provider.
package globaltest
