// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package execute_test

const subreaperName = "EXECUTE_TEST_SUBREAPER"

func becomeSubreaper() {}
