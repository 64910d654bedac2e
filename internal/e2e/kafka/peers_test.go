// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafka_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/contrib/propagators/b3"
	"go.opentelemetry.io/contrib/propagators/jaeger"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
)

// recording is what one peer wrote.
type recording struct {
	Peer    string                `json:"peer"`
	Case    string                `json:"case"`
	Headers [][2]*json.RawMessage `json:"headers"`
	TraceID string                `json:"trace_id"`
	SpanID  string                `json:"span_id"`
}

func (r recording) name() string { return r.Peer + "/" + r.Case }

// message returns the record as kafka-go reads it: null and empty are both nil.
func (r recording) message(t *testing.T) kafka.Message {
	t.Helper()
	msg := kafka.Message{Topic: "orders", Partition: 1, Offset: 7, Key: []byte("k"), Value: []byte("v")}
	for _, pair := range r.Headers {
		var h kafka.Header
		if err := json.Unmarshal(*pair[0], &h.Key); err != nil {
			t.Fatal(err)
		}
		if pair[1] != nil {
			if err := json.Unmarshal(*pair[1], &h.Value); err != nil {
				t.Fatal(err)
			}
		}
		if len(h.Value) == 0 {
			h.Value = nil
		}
		msg.Headers = append(msg.Headers, h)
	}
	return msg
}

func recordings(t *testing.T) []recording {
	t.Helper()
	file, err := os.Open("testdata/kafka-peer-headers.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it was read only.
	var all []recording
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recording
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := lines.Err(); err != nil || len(all) != 178 {
		t.Fatalf("%d recordings, %v", len(all), err)
	}
	return all
}

// propagatorOf returns the propagator that a program uses which talks to peer.
func propagatorOf(peer string) propagation.TextMapPropagator {
	_, format, _ := strings.Cut(peer, "+")
	switch format {
	case "b3":
		return b3.New(b3.WithInjectEncoding(b3.B3SingleHeader))
	case "b3multi":
		return b3.New(b3.WithInjectEncoding(b3.B3MultipleHeader))
	case "jaeger":
		return jaeger.Jaeger{}
	default:
		return propagation.Default()
	}
}

// notContinued says why a recording is not continued, or "" if it is.
func notContinued(r recording) string {
	switch {
	case r.Case == "plain-propagation-off":
		return "the sender was told to write no context"
	case r.TraceID == "":
		return "the sending span is not known"
	case r.Peer == "kotel" && strings.Contains(r.Case, "duplicates"):
		return "kotel writes over the first of two contexts and leaves the older one last"
	default:
		return ""
	}
}

func TestEveryPeerIsContinued(t *testing.T) {
	t.Parallel()
	reasons := make(map[string]int)
	for _, r := range recordings(t) {
		own := propagatorOf(r.Peer)
		propagators := map[string]propagation.TextMapPropagator{
			"its own":  own,
			"composed": propagation.Compose(propagation.Default(), own), // The order in which older contexts lose.
		}
		for name, p := range propagators {
			sc := trace.SpanContextFromContext(kafkacarrier.Extract(t.Context(), r.message(t), propagation.WithPropagator(p)))
			reason := notContinued(r)
			if reason != "" {
				reasons[reason]++
				if r.TraceID != "" && sc.TraceID().String() == r.TraceID {
					t.Errorf("%s, %s: it is continued, though %s", r.name(), name, reason)
				}
				continue
			}
			if got := sc.TraceID().String(); got != r.TraceID {
				t.Errorf("%s, %s: trace %s, want %s", r.name(), name, got, r.TraceID)
			}
			if got := sc.SpanID().String(); r.SpanID != "" && got != r.SpanID {
				t.Errorf("%s, %s: span %s, want %s", r.name(), name, got, r.SpanID)
			}
			if unsampled := strings.HasSuffix(r.Case, "unsampled"); sc.IsSampled() == unsampled {
				t.Errorf("%s, %s: sampled is %t", r.name(), name, sc.IsSampled())
			}
		}
	}
	want := map[string]int{
		"the sender was told to write no context": 4, "the sending span is not known": 4,
		"kotel writes over the first of two contexts and leaves the older one last": 2,
	}
	if diff := cmp.Diff(want, reasons); diff != "" {
		t.Error(diff)
	}
}

func TestWhateverAPeerWroteGoesOnWithOneContext(t *testing.T) {
	t.Parallel()
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	ctx := trace.ContextWithSpanContext(t.Context(), sc)
	written := map[string][]string{
		"": {"traceparent", "waybill"}, "b3": {"b3"}, "b3multi": {"x-b3-sampled", "x-b3-spanid", "x-b3-traceid"}, "jaeger": {"uber-trace-id"},
	}
	for _, r := range recordings(t) {
		for format, want := range written {
			o := propagation.WithPropagator(propagatorOf("+" + format))
			msg := r.message(t)
			original := fmt.Sprint(msg.Headers)

			injected := msg
			kafkacarrier.Inject(ctx, &injected, o)
			requireOneContext(t, r.name()+" injected with "+format, msg, injected, want)
			forwarded := kafkacarrier.Forward(ctx, msg, "retry", kafkacarrier.WithPropagation(o))
			forwarded = kafkacarrier.Forward(ctx, forwarded, "retry", kafkacarrier.WithPropagation(o))
			requireOneContext(t, r.name()+" forwarded with "+format, msg, forwarded, want)
			if got := trace.SpanContextFromContext(kafkacarrier.Extract(t.Context(), forwarded, o)); !got.WithRemote(false).Equal(sc) {
				t.Errorf("%s, %s: it carries %v", r.name(), format, got)
			}

			// Without a span it goes on with the context it has, clean.
			carried := kafkacarrier.Forward(t.Context(), msg, "retry", kafkacarrier.WithPropagation(o))
			before := trace.SpanContextFromContext(kafkacarrier.Extract(t.Context(), msg, o))
			after := trace.SpanContextFromContext(kafkacarrier.Extract(t.Context(), carried, o))
			if !before.Equal(after) {
				t.Errorf("%s, %s: it goes on with %v, want %v", r.name(), format, after, before)
			}
			if fmt.Sprint(msg.Headers) != original {
				t.Errorf("%s, %s: the consumed message was changed", r.name(), format)
			}
		}
	}
}

// requireOneContext checks that after holds the context headers want, each once,
// and besides what before held in its order.
func requireOneContext(t *testing.T, what string, before, after kafka.Message, want []string) {
	t.Helper()
	var contexts []string
	var others []kafka.Header
	for _, h := range after.Headers {
		switch {
		case isContext(h.Key):
			contexts = append(contexts, h.Key)
		case !strings.HasPrefix(h.Key, "waybill-"):
			others = append(others, h)
		}
	}
	var kept []kafka.Header
	for _, h := range before.Headers {
		if !isContext(h.Key) {
			kept = append(kept, h)
		}
	}
	slices.Sort(contexts)
	if diff := cmp.Diff(want, contexts); diff != "" {
		t.Errorf("%s: the contexts differ: %s", what, diff)
	}
	if diff := cmp.Diff(kept, others); diff != "" {
		t.Errorf("%s: the other headers differ: %s", what, diff)
	}
}

// isContext knows the headers of every format in the recordings, in any case.
func isContext(key string) bool {
	key = strings.ToLower(key)
	for _, prefix := range []string{"traceparent", "tracestate", "baggage", "x-b3-", "uber", "x-datadog-", "ot-baggage-"} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return key == "b3" || key == "waybill"
}
