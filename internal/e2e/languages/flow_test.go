// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package languages_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/plugin/kotel"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

// messages is how many go through each flow.
const messages = 3

// flows are services, in the order in which each message passes them, as language
// or language/client.
var flows = []struct {
	name     string
	services []string
	want     string // What the summary begins with.
}{
	{name: "kafka-python", services: []string{"go", "python/kafka", "go"}, want: "CONNECTED: one flow"},
	{name: "confluent-kafka", services: []string{"go", "python/confluent", "go"}, want: "LINKED: one flow"},
	{name: "confluent-kafka-batch", services: []string{"go", "python/batch", "go"}, want: "LINKED: one flow"},
	{name: "kafkajs", services: []string{"go", "node/each", "go"}, want: "CONNECTED: one flow"},
	{name: "kafkajs-batch", services: []string{"go", "node/batch", "go"}, want: "LINKED: one flow"},
	{name: "java-agent", services: []string{"go", "java", "go"}, want: "CONNECTED: one flow"},
	{name: "java-agent-receive", services: []string{"go", "java/receive", "go"}, want: "LINKED: one flow"},
	{name: "kotel", services: []string{"go", "go/kotel", "go"}, want: "CONNECTED: one flow"},
	{name: "kotel-links", services: []string{"go", "go/kotel-links", "go"}, want: "LINKED: one flow"},
	{name: "java-to-python", services: []string{"java", "python/batch"}, want: "LINKED: one flow"},
	{name: "python-to-node", services: []string{"python/kafka", "node/batch"}, want: "LINKED: one flow"},
	{name: "node-to-java", services: []string{"node/each", "java"}, want: "UNKNOWN: 3 flows, each CONNECTED"},
}

func TestFlow_Kafka(t *testing.T) {
	t.Parallel()
	k := server.Kafka(t)
	topics := []string{"listen.python", "listen.node", "listen.java"}
	for _, tt := range flows {
		for i := 1; i < len(tt.services); i++ {
			topics = append(topics, topicTo(tt.name, i))
		}
	}
	k.CreateTopics(1, topics...) // At once, because kafka-go asks a broker for its topics now and then.
	t.Run("listen", func(t *testing.T) { t.Parallel(); testListen(t, k) })
	for _, tt := range flows {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCollector(t)
			s := &site{collector: c, broker: k.Addr(), name: tt.name}
			for i, service := range tt.services {
				next := ""
				if i < len(tt.services)-1 {
					next = topicTo(tt.name, i+1)
				}
				s.runService(t, service, i, next)
			}
			requireHealthy(t, c, tt.name, tt.want)
		})
	}
}

// site is what the services of a flow share.
type site struct {
	collector *collector
	broker    string
	name      string
}

// topicTo returns the topic that the service at index i of a flow reads.
func topicTo(name string, i int) string { return name + "." + strconv.Itoa(i) }

// runService runs the service at index i, which is called after its language. It
// sends on to the topic next, if that is not empty.
func (s *site) runService(t *testing.T, service string, i int, next string) {
	t.Helper()
	language, how, _ := strings.Cut(service, "/")
	name := fmt.Sprintf("%s-%d", language, i+1)
	if language == "go" {
		s.runGo(t, name, how, i, next)
		return
	}
	peer(t, language).run(t, s.env(name, how), arguments(language, how, topicTo(s.name, i), next, i == 0)...)
}

// env configures the OpenTelemetry of a service.
func (s *site) env(name, how string) []string {
	return []string{
		"KAFKA_BROKER=" + s.broker,
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + s.collector.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_SERVICE_NAME=" + name, "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none",
		"OTEL_INSTRUMENTATION_MESSAGING_EXPERIMENTAL_RECEIVE_TELEMETRY_ENABLED=" + strconv.FormatBool(how == "receive"),
	}
}

// arguments returns those of a peer, as its source says.
func arguments(language, how, topic, next string, first bool) []string {
	count := strconv.Itoa(messages)
	var args []string
	switch {
	case first && language == "python":
		return []string{"produce", how, next, count}
	case first:
		return []string{"produce", next, count}
	case language == "python":
		args = []string{"consume", how, topic, count}
	case language == "java":
		args = []string{"consume", topic, count}
	default:
		args = []string{how, topic, count}
	}
	return slices.DeleteFunc(append(args, next), func(arg string) bool { return arg == "" })
}

func (s *site) runGo(t *testing.T, name, how string, i int, next string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := newGoPeer(s.collector.exporter(t), s.broker, name)
	defer p.close(ctx, t)
	var err error
	switch {
	case i == 0:
		err = p.produce(ctx, next, messages)
	case how == "kotel":
		err = p.consumeKotel(ctx, topicTo(s.name, i), messages, next)
	case how == "kotel-links":
		err = p.consumeKotel(ctx, topicTo(s.name, i), messages, next, kotel.LinkSpans())
	default:
		err = p.consume(ctx, topicTo(s.name, i), messages, next)
	}
	if err != nil {
		t.Fatal(err)
	}
}
