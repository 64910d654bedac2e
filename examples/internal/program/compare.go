// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// masks replace what differs from run to run.
var masks = []struct{ pattern, mask string }{
	{`00-[0-9a-f]{14}-[0-9a-f]{14}-000`, "<times>-000"},
	{`[0-9a-f]{32}`, "<trace>"},
	{`-[0-9a-f]{16}-`, "-<span>-"},
	{`localhost:[0-9]+`, "localhost:<port>"},
}

// Compare compares the output of a program with want, in which ids, times and ports
// are masked.
func Compare(t testing.TB, printed, want string) {
	t.Helper()
	for _, m := range masks {
		printed = regexp.MustCompile(m.pattern).ReplaceAllString(printed, m.mask)
	}
	if diff := cmp.Diff(want, printed); diff != "" {
		t.Errorf("it prints (-want +got):\n%s", diff)
	}
}
