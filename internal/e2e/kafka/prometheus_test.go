// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafka_test

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/metrics"
)

// series measures a topic for Prometheus, and compares that with what the broker
// holds.
func (s *site) series() {
	const messages, handled = 90, 60
	registry := prometheus.NewPedanticRegistry()
	m, err := metrics.New(registry)
	if err != nil {
		s.t.Fatal(err)
	}
	s.opts = append(s.opts, kafkacarrier.WithObserver(m))
	w, r := s.wrap(s.plainWriter("orders")), s.wrappedReader("orders", "workers")
	ctx, span := s.trace.Start(s.within(time.Minute), "produce")
	if err = w.WriteMessages(ctx, numbers(0, messages)...); err != nil {
		s.t.Fatal(err)
	}
	span.End()

	lag := make(map[int]int64)
	bytes := 0
	for range handled {
		msg, err := r.FetchMessage(ctx)
		if err != nil {
			s.t.Fatal(err)
		}
		bytes += len(msg.Key) + len(msg.Value)
		lag[msg.Partition] = msg.HighWaterMark - msg.Offset - 1
		if err := r.Process(context.WithoutCancel(ctx), msg, func(context.Context) error { return nil }); err != nil {
			s.t.Error(err)
		}
		if err := r.CommitMessages(ctx, msg); err != nil {
			s.t.Error(err)
		}
	}
	var want float64
	for _, n := range lag {
		want += float64(n)
	}
	for name, want := range map[string]float64{
		"etl_kafka_messages_total out":        messages,
		"etl_kafka_messages_total in":         handled,
		"etl_kafka_bytes_total in":            float64(bytes),
		"etl_kafka_lag_messages ":             want,
		"etl_kafka_committed_lag_messages ":   want,
		"etl_kafka_queue_seconds ":            handled,
		"etl_hop_seconds ":                    handled,
		"etl_end_to_end_seconds ":             handled,
		"etl_kafka_redelivered_total ":        0,
		"etl_kafka_offset_gaps_total ":        0,
		"etl_telemetry_label_overflow_total ": 0,
	} {
		if got := gathered(s, registry)[name]; got != want {
			s.t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	s.close(r, w)
	ahead := 0 // What was fetched ahead is handed on.
	for {
		if _, err := r.FetchMessage(ctx); err != nil {
			break
		}
		ahead++
	}
	if ahead == 0 {
		s.t.Error("nothing was fetched ahead")
	}
	after := gathered(s, registry)
	for _, name := range []string{"etl_kafka_lag_messages ", "etl_kafka_committed_lag_messages ", "etl_kafka_last_fetch_timestamp_seconds "} {
		if sum, ok := after[name]; ok {
			s.t.Errorf("%s is still %v when no partition is read", name, sum)
		}
	}
}

// gathered adds up the series of each metric and direction: the values of
// counters and gauges, the counts of histograms.
func gathered(s *site, registry prometheus.Gatherer) map[string]float64 {
	families, err := registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	sums := make(map[string]float64)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			sums[family.GetName()+" "+direction(metric)] += metric.GetCounter().GetValue() + metric.GetGauge().GetValue() +
				float64(metric.GetHistogram().GetSampleCount())
		}
	}
	return sums
}

func direction(metric *dto.Metric) string {
	for _, label := range metric.GetLabel() {
		if label.GetName() == "direction" {
			return label.GetValue()
		}
	}
	return ""
}
