// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package pagetest tests the page of package page in a browser: what it shows, how it
// is used, and what a hostile recording can do. Its tests have the build tag e2e, and
// need Chromium and what make e2e-deps fetches.
package pagetest
