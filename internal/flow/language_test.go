// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/internal/flow"
)

// in gives a span the language of its process.
func in(l flow.Language) change { return func(s *flow.Span) { s.Language = l } }

// A finding says what to change in the language of the side that has to change.
func TestDiagnose_Languages(t *testing.T) {
	t.Parallel()
	message := func(from, to flow.Language, system string) []flow.Span {
		where := attr("messaging.system", system, "messaging.destination.name", "orders")
		return []flow.Span{
			span(1, 1, 0, "api PRODUCER send orders", where, in(from)),
			span(2, 2, 0, "job CONSUMER process orders", where, in(to)),
		}
	}
	created := func(from, to flow.Language) []flow.Span {
		return []flow.Span{
			span(1, 1, 0, "dispatch PRODUCER create job", attr("k8s.job.name", "load-7"), in(from)),
			span(2, 2, 0, "load INTERNAL load", job("load-7", "a"), in(to)),
		}
	}
	for _, tt := range []struct {
		name  string
		spans []flow.Span
		want  string // Part of the advice.
	}{
		{
			name: "Go to Go", spans: message(flow.Go, flow.Go, "kafka"),
			want: `is started: in Go, ctx = kafkacarrier.Extract(ctx, msg). If not, write it in "api send orders": kafkacarrier.Inject(ctx, &msg).`,
		},
		{
			name: "Python to Python", spans: message(flow.Python, flow.Python, "mongodb"),
			want: `is started: in Python, ctx = waybill_receiver.extract(doc["context"]). If not, write it in "api send orders": doc["context"] = waybill_receiver.inject(). The command opentelemetry-instrument does`,
		},
		{
			name: "Python to Go", spans: message(flow.Python, flow.Go, "kafka"),
			want: `is started: in Go, ctx = kafkacarrier.Extract(ctx, msg). If not, write it in "api send orders": in Python, propagate.inject(headers, setter=setter).`,
		},
		{
			name: "Go to Java", spans: message(flow.Go, flow.Java, "kafka"),
			want: `is started: in Java, Context ctx = propagator.extract(Context.current(), carrier, getter). If not, write it in "api send orders": in Go, kafkacarrier.Inject(ctx, &msg).`,
		},
		{
			name: "JavaScript to JavaScript, over another system", spans: message(flow.JavaScript, flow.JavaScript, "rabbitmq"),
			want: `is started: in JavaScript, const ctx = propagation.extract(context.active(), carrier). If not, write it in "api send orders": propagation.inject(context.active(), carrier). The packages`,
		},
		{
			name: "a Job", spans: created(flow.Go, flow.Go),
			want: "is started: in Go, k8scarrier.NewJobs(client).Create, and job.Main(p, fn) or envcarrier.Extract(ctx).",
		},
		{
			name: "a Job in Python that Go created", spans: created(flow.Go, flow.Python),
			want: "is started: in Go, k8scarrier.NewJobs(client).Create, and in Python, waybill_receiver.start_job(tracer, name).",
		},
		{
			name: "a Job in Python that Python created", spans: created(flow.Python, flow.Python),
			want: "is started: in Python, the variables of waybill_receiver.child_environ({}), and waybill_receiver.start_job(tracer, name).",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := flow.New(tt.spans)
			d := g.Diagnose(flow.Expectation{})
			if len(d.Findings) != 1 || !strings.Contains(d.Findings[0].Fix, tt.want) {
				t.Errorf("findings %+v, want one with the advice %q", d.Findings, tt.want)
			}
		})
	}
}

func TestProcessOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		attributes map[string]string
		want       flow.Process
	}{
		{name: "nothing"},
		{
			name:       "all",
			attributes: map[string]string{"service.name": "load", "service.instance.id": "i", "host.name": "h", "k8s.job.name": "load-7", "telemetry.sdk.language": "nodejs"},
			want:       flow.Process{Service: "load", Instance: "i", Job: "load-7", Language: flow.JavaScript},
		},
		{name: "a process of a host", attributes: map[string]string{"host.name": "h", "process.pid": "7"}, want: flow.Process{Instance: "h 7"}},
		{name: "a process of a pod", attributes: map[string]string{"k8s.pod.name": "p", "process.pid": "1"}, want: flow.Process{Instance: "p 1"}},
		{name: "Java", attributes: map[string]string{"telemetry.sdk.language": "java"}, want: flow.Process{Language: flow.Java}},
		{name: "Python", attributes: map[string]string{"telemetry.sdk.language": "python"}, want: flow.Process{Language: flow.Python}},
		{name: "a browser", attributes: map[string]string{"telemetry.sdk.language": "webjs"}, want: flow.Process{Language: flow.JavaScript}},
		{name: "another language", attributes: map[string]string{"telemetry.sdk.language": "dotnet"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := flow.ProcessOf(func(key string) string {
				if !flow.NamesProcess(key) {
					t.Errorf("NamesProcess(%q) = false", key)
				}
				return tt.attributes[key]
			})
			if got != tt.want {
				t.Errorf("ProcessOf(%v) = %+v, want %+v", tt.attributes, got, tt.want)
			}
			attributes := maps.Collect(got.Attributes())
			if again := flow.ProcessOf(func(key string) string { return attributes[key] }); again != got {
				t.Errorf("its attributes are of %+v, want %+v", again, got)
			}
		})
	}
}
