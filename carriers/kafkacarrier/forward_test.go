// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
)

func TestForward_KeepsOneContextHoweverOften(t *testing.T) {
	t.Parallel()
	msg := consumed(7, header("app", "1"), header("Traceparent", traceparentA), header("traceparent", traceparentB), header("baggage", "user=alice"), kafka.Header{Key: "null"})
	msg.WriterData = "data"
	before := append([]kafka.Header(nil), msg.Headers...)
	forwarded := msg
	for attempt := range 5 {
		forwarded = kafkacarrier.Forward(t.Context(), forwarded, "retry", withW3C())
		source, ok := kafkacarrier.SourceOf(forwarded)
		if want := (kafkacarrier.Source{Topic: "orders", Partition: 2, Offset: 7, Attempt: attempt + 1}); !ok || source != want {
			t.Fatalf("the source is %+v, want %+v", source, want)
		}
		forwarded.Partition, forwarded.Offset = 9, int64(attempt) // As if it had been consumed again.
	}
	want := []string{"app", "null", "traceparent", "waybill", "waybill-attempt", "waybill-original-topic", "waybill-original-partition", "waybill-original-offset"}
	if got := keys(forwarded.Headers); !cmp.Equal(got, want) {
		t.Errorf("the headers are %q, want %q", got, want)
	}
	if got := values(forwarded.Headers, "traceparent"); !cmp.Equal(got, []string{traceparentB}) {
		t.Errorf("traceparent is %q", got)
	}
	if forwarded.Topic != "retry" || forwarded.WriterData != nil || !forwarded.Time.IsZero() || string(forwarded.Value) != "v" {
		t.Errorf("the message is %+v", forwarded)
	}
	if diff := cmp.Diff(before, msg.Headers); diff != "" {
		t.Error(diff)
	}
	w, err := propagation.ParseWaybill(values(forwarded.Headers, "waybill")[0])
	if err != nil || w.Hops != 5 {
		t.Errorf("the waybill is %+v, %v", w, err)
	}
}

func TestForward_TakesTheContextOfTheHandler(t *testing.T) {
	t.Parallel()
	w := propagation.Waybill{Origin: remoteTime, Sent: remoteTime, Hops: 3}
	msg := consumed(7, header("traceparent", traceparentA), header("waybill", w.String()))
	forwarded := kafkacarrier.Forward(bareContext(t, traceparentB), msg, "dead", withW3C())
	if got := values(forwarded.Headers, "traceparent"); !cmp.Equal(got, []string{traceparentB}) {
		t.Errorf("traceparent is %q", got)
	}
	if got, err := propagation.ParseWaybill(values(forwarded.Headers, "waybill")[0]); err != nil || got.Hops != 4 || !got.Origin.Equal(remoteTime) {
		t.Errorf("the waybill is %+v, %v", got, err)
	}
	kept := kafkacarrier.Forward(bareContext(t, traceparentB), msg, "dead", withW3C(propagation.WithPolicy(propagation.KeepExisting)))
	if got := values(kept.Headers, "traceparent"); !cmp.Equal(got, []string{traceparentA}) {
		t.Errorf("with KeepExisting traceparent is %q", got)
	}
	plain := kafkacarrier.Forward(bareContext(t, traceparentB), msg, "dead", withW3C(), kafkacarrier.WithoutInject())
	if diff := cmp.Diff(msg.Headers, plain.Headers[:2]); diff != "" || len(plain.Headers) != 6 {
		t.Errorf("without inject: %s", diff)
	}
}

func TestForward_NeverCopiesAMalformedContextOn(t *testing.T) {
	t.Parallel()
	for _, bad := range malformed() {
		forwarded := kafkacarrier.Forward(t.Context(), consumed(1, header("traceparent", bad), header("tracestate", "a=1"), header("b3", "0")), "dead", withW3C())
		if got := keys(forwarded.Headers); len(got) != 5 || got[0] != "b3" {
			t.Errorf("%.60q is forwarded with %q", bad, got)
		}
		// Whoever reads another format does not see it, but the next one may.
		unseen := kafkacarrier.Forward(t.Context(), consumed(1, header("Traceparent", bad), header("app", "a")), "dead", kafkacarrier.WithPropagation(propagation.WithPropagator(propagation.Baggage{})))
		if got := keys(unseen.Headers); len(got) != 5 || got[0] != "app" {
			t.Errorf("%.60q is forwarded unseen with %q", bad, got)
		}
	}
}

func TestForward_DoesNotTrustTheSourceOfStrangers(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		kafkacarrier.HeaderAttempt: "2", kafkacarrier.HeaderOriginalTopic: "first", kafkacarrier.HeaderOriginalPartition: "4", kafkacarrier.HeaderOriginalOffset: "44",
	}
	for key, bad := range map[string]string{
		kafkacarrier.HeaderAttempt: "-1", kafkacarrier.HeaderOriginalTopic: strings.Repeat("x", 250), kafkacarrier.HeaderOriginalPartition: "x", kafkacarrier.HeaderOriginalOffset: strings.Repeat("9", 30),
		"": "", " ": "99999999", "  ": "9223372036854775807", // A count as large as there is stays one.
	} {
		msg := consumed(7)
		for k, v := range good {
			if k == key {
				v = bad
			}
			msg.Headers = append(msg.Headers, header(k, v))
		}
		counted := strings.HasPrefix(key, " ")
		if counted {
			msg.Headers = append(msg.Headers, header(kafkacarrier.HeaderAttempt, bad))
		}
		want := kafkacarrier.Source{Topic: "orders", Partition: 2, Offset: 7, Attempt: 1}
		if strings.TrimSpace(key) == "" {
			want = kafkacarrier.Source{Topic: "first", Partition: 4, Offset: 44, Attempt: 3}
		}
		if counted {
			want.Attempt = 1_000_000
		}
		forwarded := kafkacarrier.Forward(t.Context(), msg, "retry", withW3C())
		if got, ok := kafkacarrier.SourceOf(forwarded); !ok || got != want || len(forwarded.Headers) != 4 {
			t.Errorf("with a bad %q the source is %+v, want %+v", key, got, want)
		}
	}
}

func TestForward_ForwardedMessageIsWrittenInTheFlowItCameFrom(t *testing.T) {
	t.Parallel()
	r := newRig(t, &broker{}, nil)
	msg := kafkacarrier.Forward(t.Context(), consumed(7, header("traceparent", traceparentA)), "", withW3C())
	if err := r.writer.WriteMessages(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	if span := r.spans(t)[0]; span.Parent.TraceID().String() != traceA || len(span.Links) != 1 {
		t.Errorf("the parent of the send span is %v, with %d links", span.Parent, len(span.Links))
	}
	if got := keys(r.broker.written()[0].Headers); len(values(r.broker.written()[0].Headers, "traceparent")) != 1 || len(got) != 6 {
		t.Errorf("the headers are %q", got)
	}
}

func FuzzForward(f *testing.F) {
	f.Add("waybill-attempt", []byte("1"), []byte("junk"))
	f.Add("Waybill-Original-Topic", []byte("orders"), []byte(traceparentA))
	f.Fuzz(func(t *testing.T, key string, value, traceparent []byte) {
		msg := consumed(7, kafka.Header{Key: key, Value: value}, kafka.Header{Key: "traceparent", Value: traceparent}, kafka.Header{Key: "TraceParent", Value: value})
		forwarded := kafkacarrier.Forward(t.Context(), msg, "retry", withW3C())
		if _, ok := kafkacarrier.SourceOf(forwarded); !ok {
			t.Errorf("no source in %q", forwarded.Headers)
		}
		seen := make(map[string]int)
		for _, h := range forwarded.Headers {
			seen[strings.ToLower(h.Key)]++
		}
		for _, k := range []string{"traceparent", "waybill", "waybill-attempt", "waybill-original-topic"} {
			if seen[k] > 1 {
				t.Errorf("%d headers are called %s", seen[k], k)
			}
		}
		if got := values(forwarded.Headers, "traceparent"); len(got) == 1 && traceID(kafkacarrier.Extract(t.Context(), withHeaders(header("traceparent", got[0])), w3c())) == "" {
			t.Errorf("%q was copied on", got)
		}
	})
}
