// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command writeboards writes the boards that package dashboards embeds into the
// current folder.
package main

import (
	"fmt"
	"os"

	"github.com/waybill-go/waybill/metrics/dashboards"
)

func main() {
	if err := dashboards.Write("."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // A command ends with its status.
	}
}
