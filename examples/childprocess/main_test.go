// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/waybill-go/waybill/examples/internal/program"
)

func TestChildContinuesTheTraceOfItsParent(t *testing.T) {
	t.Parallel()
	out := program.Output(t)
	program.Compare(t, out, `parent: <trace>
child:  <trace>
TRACEPARENT = 00-<trace>-<span>-01
`)
	words := strings.Fields(out)
	if parent, child := words[1], words[3]; parent != child {
		t.Errorf("the parent is in trace %s and the child in %s", parent, child)
	}
}
