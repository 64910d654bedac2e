// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// flows is a recording of three flows of one span, an hour apart, in three services.
func flows() string {
	var lines []string
	for n, service := range []string{"api", "billing", "mail"} {
		start := 1_700_000_000 + 3600*n
		lines = append(lines, fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":%q}}]},`+
			`"scopeSpans":[{"spans":[{"traceId":"a%031d","spanId":"b%015d","name":"run","kind":2,"startTimeUnixNano":"%d000000000","endTimeUnixNano":"%d000000000"}]}]}]}`,
			service, n+1, n+1, start, start+1))
	}
	return strings.Join(lines, "\n")
}

func TestTree_Selection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		args   []string
		want   []string // The services that are shown.
		stderr string
	}{
		{name: "all", want: []string{"api", "billing", "mail"}},
		{name: "by trace id", args: []string{"--flow", "a" + strings.Repeat("0", 30) + "2"}, want: []string{"billing"}},
		{name: "by span id, in upper case", args: []string{"--flow", "B000000000000003"}, want: []string{"mail"}},
		{name: "by the beginning of ids", args: []string{"--flow", "a000"}, want: []string{"api", "billing", "mail"}},
		{name: "by service", args: []string{"--service", "api"}, want: []string{"api"}},
		{name: "the last part", args: []string{"--since", "90m"}, want: []string{"billing", "mail"}},
		{name: "after a time", args: []string{"--since", "2023-11-15T00:00:00Z"}, want: []string{"mail"}},
		{name: "both", args: []string{"--since", "90m", "--service", "billing"}, want: []string{"billing"}},
		{name: "none", args: []string{"--since", "90m", "--service", "api"}, stderr: "no flow of the recording is selected; it has 3 flows"},
		{name: "no time", args: []string{"--since", "yesterday"}, stderr: `--since "yesterday": want a time`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), append([]string{"tree"}, tt.args...), strings.NewReader(flows()), &stdout, &stderr)
			if tt.stderr != "" {
				if code != exitUsage || !strings.Contains(stderr.String(), tt.stderr) {
					t.Errorf("exit code %d, standard error %q; want 2 and %q", code, &stderr, tt.stderr)
				}
				return
			}
			var got []string
			for _, service := range []string{"api", "billing", "mail"} {
				if strings.Contains(stdout.String(), service+" ") {
					got = append(got, service)
				}
			}
			if code != exitFine || strings.Join(got, " ") != strings.Join(tt.want, " ") {
				t.Errorf("exit code %d, services %v, want %v in\n%s%s", code, got, tt.want, &stdout, &stderr)
			}
		})
	}
}
