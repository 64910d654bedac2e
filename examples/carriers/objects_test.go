// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

func carryS3(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	put := &s3.PutObjectInput{Bucket: aws.String("quakes"), Key: aws.String("week"), Body: strings.NewReader("42")}
	InjectS3(ctx, put)
	client := connectS3(t)
	if _, err := client.PutObject(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	got, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: put.Bucket, Key: put.Key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = got.Body.Close() })
	return ReadS3(got).Context(t.Context())
}

// connectS3 returns a client of a store for the metadata of one object, which
// spells its keys as HTTP headers.
func connectS3(t *testing.T) *s3.Client {
	t.Helper()
	metadata := http.Header{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, to := metadata, w.Header()
		if r.Method == http.MethodPut {
			from, to = r.Header, metadata
		}
		for key, values := range from {
			if strings.HasPrefix(key, "X-Amz-Meta-") {
				to[key] = values
			}
		}
	}))
	t.Cleanup(server.Close)
	return s3.New(s3.Options{
		BaseEndpoint: &server.URL, UsePathStyle: true, Region: "local", Credentials: aws.AnonymousCredentials{},
	})
}

func TestS3IsReadInAnySpelling(t *testing.T) {
	t.Parallel()
	ctx := inAnySpan(t)
	var put s3.PutObjectInput
	InjectS3(ctx, &put)
	got := s3.GetObjectOutput{Metadata: map[string]string{}}
	for key, value := range put.Metadata {
		got.Metadata[strings.ToUpper(key[:1])+key[1:]] = value
	}
	if ReadS3(&got).SpanContext().TraceID() != traceID(ctx) {
		t.Error("the trace is not that of the producer")
	}
}

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
