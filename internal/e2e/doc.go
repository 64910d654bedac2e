// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e holds the tests that need a server or another library: a folder
// each medium. Without a build tag they run against servers in this process;
// with the tag e2e also against installed ones.
package e2e
