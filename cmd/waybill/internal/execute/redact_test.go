// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/cmd/waybill/internal/execute"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		argv, want []string
	}{
		{name: "nothing secret", argv: []string{"python3", "report.py", "--day", "2026-11-30", "-v", "in.csv"}, want: []string{"python3", "report.py", "--day", "2026-11-30", "-v", "in.csv"}},
		{name: "flag with a value", argv: []string{"x", "--db-password=hunter2", "--TOKEN=a"}, want: []string{"x", "--db-password=***", "--TOKEN=***"}},
		{name: "flag before its value", argv: []string{"x", "--password", "hunter2", "-secret", "a", "b"}, want: []string{"x", "--password", "***", "-secret", "***", "b"}},
		{name: "flag before a flag", argv: []string{"x", "--auth", "--verbose"}, want: []string{"x", "--auth", "--verbose"}},
		{name: "value with a dash", argv: []string{"x", "--password", "-hunter2"}, want: []string{"x", "--password", "***"}},
		{name: "variable", argv: []string{"env", "API_KEY=k", "DAY=1"}, want: []string{"env", "API_KEY=***", "DAY=1"}},
		{name: "header", argv: []string{"curl", "-H", "Authorization: Bearer abc.def"}, want: []string{"curl", "-H", "Authorization: *** ***"}},
		{name: "URL", argv: []string{"x", "postgres://me:pw@db/orders?sslmode=on&password=pw2&x=1"}, want: []string{"x", "postgres://***@db/orders?sslmode=on&password=***&x=1"}},
		{name: "script", argv: []string{"sh", "-c", "export PASSWORD='a b'; run --token abc --day 1"}, want: []string{"sh", "-c", "export PASSWORD=***; run --token *** --day 1"}},
		{name: "known tokens", argv: []string{"x", "ghp_0123456789abcdefghijABCD", "AKIA0123456789ABCDEF", "eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2ln"}, want: []string{"x", "***", "***", "***"}},
		{name: "password of MySQL", argv: []string{"/usr/bin/mysqldump", "-phunter2", "-p", "orders"}, want: []string{"/usr/bin/mysqldump", "-p***", "-p", "orders"}},
		{name: "key", argv: []string{"x", "a -----BEGIN PRIVATE KEY-----\nabc"}, want: []string{"x", "a ***"}},
		{name: "not UTF-8", argv: []string{"x", "\xff"}, want: []string{"x", "�"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			argv := slices.Clone(tt.argv)
			if diff := cmp.Diff(tt.want, execute.Redact(argv)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.argv, argv); diff != "" {
				t.Errorf("the arguments were changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRedact_Limits(t *testing.T) {
	t.Parallel()
	got := execute.Redact(append([]string{"x", strings.Repeat("y", 10_000)}, make([]string, 1000)...))
	if len(got) != 64 || len(got[1]) > 300 {
		t.Errorf("%d arguments, the second of %d bytes; want 64 and at most 300", len(got), len(got[1]))
	}
}
