// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/waybill-go/waybill/examples/internal/program"
)

func TestFirstFlow_IsOneTrace(t *testing.T) {
	t.Parallel()
	out := program.Output(t)
	_, sent, _ := strings.Cut(out, "publishing in trace ")
	sent, _, _ = strings.Cut(sent, "\n")
	if want := "handling order 42 in trace " + sent + "\n"; len(sent) != 32 || !strings.Contains(out, want) {
		t.Errorf("got\n%s\nwant the line %q", out, want)
	}
}
