// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"cloud.google.com/go/pubsub/v2"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
)

// fields are the keys of the context that inAnySpan returns.
func fields() []string { return []string{"baggage", "traceparent", "tracestate", "waybill"} }

// Either the whole context is written or nothing, and no attribute of the user makes
// room for it.
func TestQuotaOfAttributes(t *testing.T) {
	t.Parallel()
	for name, q := range map[string]struct {
		limit int
		// inject puts a context beside attributes and returns what is there.
		inject func(ctx context.Context, attributes []string) (left []string, ok bool)
	}{
		"SQS":     {maxSQSAttributes, injectBesideSQS},
		"SNS":     {maxSQSAttributes, injectBesideSNS},
		"Pub/Sub": {maxPubSubAttributes, injectBesidePubSub},
	} {
		for _, tt := range []struct {
			name string
			own  int
			old  []string
			ok   bool
		}{
			{"none", 0, nil, true},
			{"room", q.limit - len(fields()), nil, true},
			{"no room", q.limit - len(fields()) + 1, nil, false},
			{"full", q.limit, nil, false},
			{"what is there counts once", q.limit - len(fields()), []string{"traceparent", "tracestate"}, true},
			{"what is there stays where nothing goes", q.limit - 2, []string{"traceparent", "tracestate"}, false},
		} {
			t.Run(name+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				before := slices.Clone(tt.old)
				for i := range tt.own {
					before = append(before, fmt.Sprint("user", i))
				}
				want := slices.Clone(before)
				if tt.ok {
					want = append(want, fields()...)
				}
				slices.Sort(want)
				got, ok := q.inject(inAnySpan(t), before)
				if ok != tt.ok {
					t.Errorf("it reports %t", ok)
				}
				if diff := cmp.Diff(slices.Compact(want), got); diff != "" {
					t.Errorf("the attributes (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func injectBesideSQS(ctx context.Context, attributes []string) ([]string, bool) {
	msg := &sqs.SendMessageInput{MessageAttributes: map[string]sqstypes.MessageAttributeValue{}}
	for _, key := range attributes {
		sqsAttributes{}.Set(msg.MessageAttributes, key, "1")
	}
	ok := InjectSQS(ctx, msg)
	return slices.Sorted(maps.Keys(msg.MessageAttributes)), ok
}

func injectBesideSNS(ctx context.Context, attributes []string) ([]string, bool) {
	msg := &sns.PublishInput{MessageAttributes: map[string]snstypes.MessageAttributeValue{}}
	for _, key := range attributes {
		snsAttributes{}.Set(msg.MessageAttributes, key, "1")
	}
	ok := InjectSNS(ctx, msg)
	return slices.Sorted(maps.Keys(msg.MessageAttributes)), ok
}

func injectBesidePubSub(ctx context.Context, attributes []string) ([]string, bool) {
	msg := &pubsub.Message{Attributes: map[string]string{}}
	for _, key := range attributes {
		msg.Attributes[key] = "1"
	}
	ok := InjectPubSub(ctx, msg)
	return slices.Sorted(maps.Keys(msg.Attributes)), ok
}
