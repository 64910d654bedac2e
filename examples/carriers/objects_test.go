// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

// carryS3 returns the keys in the case of HTTP headers, as stores do.
func carryS3(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	var object s3.PutObjectInput
	InjectS3(ctx, &object)
	received := s3.GetObjectOutput{Metadata: map[string]string{}}
	for key, value := range object.Metadata {
		received.Metadata[strings.ToUpper(key[:1])+key[1:]] = value
	}
	return ReadS3(&received).Context(t.Context())
}

// Rule 40.
func TestS3HoldsAsMuchOfTheContextAsThereIsRoom(t *testing.T) {
	t.Parallel()
	const (
		traceparent = len("traceparent") + 55
		waybill     = len("waybill") + 37
		tracestate  = len("tracestate") + len("vendor=7")
	)
	for name, tt := range map[string]struct {
		room int
		want []string
	}{
		"more than all":           {-1, nil},
		"full":                    {0, nil},
		"no traceparent":          {traceparent - 1, nil},
		"a traceparent":           {traceparent, []string{"traceparent"}},
		"no waybill":              {traceparent + waybill - 1, []string{"traceparent"}},
		"a waybill":               {traceparent + waybill, []string{"traceparent", "waybill"}},
		"no tracestate":           {traceparent + waybill + tracestate - 1, []string{"traceparent", "waybill"}},
		"everything":              {traceparent + waybill + tracestate, []string{"traceparent", "waybill", "tracestate"}},
		"an object with no field": {maxObjectMetadata, []string{"traceparent", "waybill", "tracestate"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var object s3.PutObjectInput
			want := map[string]bool{}
			if own := maxObjectMetadata - tt.room; own > 0 {
				object.Metadata = map[string]string{"user": strings.Repeat("x", own-len("user"))}
				want["user"] = true
			}
			for _, key := range tt.want {
				want[key] = true
			}
			for range 2 { // The second time what is there makes room.
				InjectS3(inAnySpan(t), &object)
				got := map[string]bool{}
				for key := range object.Metadata {
					got[key] = true
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("the keys (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// Rule 39.
func TestS3ReplacesAContextInAnySpelling(t *testing.T) {
	t.Parallel()
	object := s3.PutObjectInput{Metadata: map[string]string{"Tracestate": "old=1", "User": "1"}}
	InjectS3(inAnySpan(t), &object)
	delete(object.Metadata, "traceparent")
	delete(object.Metadata, "waybill")
	if diff := cmp.Diff(map[string]string{"tracestate": "vendor=7", "User": "1"}, object.Metadata); diff != "" {
		t.Errorf("the metadata (-want +got):\n%s", diff)
	}
}
