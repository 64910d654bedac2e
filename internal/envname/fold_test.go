// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envname_test

import (
	"slices"
	"testing"

	"github.com/waybill-go/waybill/internal/envname"
)

func TestFold(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ environ, want []string }{
		"none":                     {want: []string{}},
		"upper case":               {environ: []string{"A=b", "TRACEPARENT=x", "BAGGAGE=y"}, want: []string{"A=b", "TRACEPARENT=x", "BAGGAGE=y"}},
		"lower case":               {environ: []string{"traceparent=x", "tracestate=y", "waybill=z", "path=p"}, want: []string{"TRACEPARENT=x", "TRACESTATE=y", "WAYBILL=z", "path=p"}},
		"lower case of another":    {environ: []string{"traceparent=x", "tracestate=y", "TRACEPARENT=z"}, want: []string{"TRACEPARENT=z"}},
		"beside an empty one":      {environ: []string{"TRACEPARENT=", "traceparent=x"}, want: []string{"TRACEPARENT=x"}},
		"upper case of another":    {environ: []string{"tracestate=y", "TRACESTATE=old", "BAGGAGE=old", "WAYBILL=old", "traceparent=x"}, want: []string{"TRACESTATE=y", "TRACEPARENT=x"}},
		"neither has a span":       {environ: []string{"baggage=x", "WAYBILL=y", "TRACEPARENT="}, want: []string{"BAGGAGE=x", "WAYBILL=y", "TRACEPARENT="}},
		"letters of Unicode stay":  {environ: []string{"trace\u017ftate=x", "waybıll=y", "ＴＲＡＣＥＰＡＲＥＮＴ=z"}, want: []string{"trace\u017ftate=x", "waybıll=y", "ＴＲＡＣＥＰＡＲＥＮＴ=z"}},
		"the last of two wins":     {environ: []string{"traceparent=x", "traceparent=y"}, want: []string{"TRACEPARENT=x", "TRACEPARENT=y"}},
		"mixed case stays":         {environ: []string{"Traceparent=x"}, want: []string{"Traceparent=x"}},
		"an entry without a value": {environ: []string{"traceparent", "=x", ""}, want: []string{"TRACEPARENT=", "=x", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := slices.Clone(tt.environ)
			if got := envname.Fold(tt.environ); !slices.Equal(got, tt.want) {
				t.Errorf("Fold = %q, want %q", got, tt.want)
			}
			if !slices.Equal(before, tt.environ) {
				t.Errorf("it changed its argument to %q", tt.environ)
			}
		})
	}
}
