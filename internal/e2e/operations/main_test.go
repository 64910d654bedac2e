// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package operations_test

import (
	"os"
	"testing"

	"github.com/waybill-go/waybill/internal/e2e/pipeline"
)

func TestMain(m *testing.M) {
	pipeline.Main()
	os.Exit(m.Run())
}
