// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package jobcarrier_test

import "testing"

// Without a shell of POSIX these ways are not tried.

func inLaunchScript(_ testing.TB, values []string) []string  { return values }
func inLaunchCommand(_ testing.TB, values []string) []string { return values }
func inDoubleQuotes(_ testing.TB, values []string) []string  { return values }
func inSingleQuotes(_ testing.TB, values []string) []string  { return values }
