// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

const (
	rowsPerSecond = 20
	pulse         = 100 * time.Millisecond // The time between two batches of a source.
)

// produce writes the rows of all pipelines until ctx is done.
func (h *host) produce(ctx context.Context) error {
	writer := kafkacarrier.NewWriter(&kafka.Writer{
		Addr: kafka.TCP(h.Kafka), BatchTimeout: 5 * time.Millisecond, RequiredAcks: kafka.RequireAll,
	}, kafkacarrier.WithObserver(h.metrics))
	client := &kafka.Client{Addr: kafka.TCP(h.Kafka)}
	var all sync.WaitGroup
	for _, name := range h.Pipelines {
		p, err := stages.NewPipeline(name, stages.WithObserver(h.metrics))
		if err != nil {
			return err
		}
		extract, err := p.Stage("extract", stages.WithSource("orders"))
		if err != nil {
			return err
		}
		s := &source{host: h, pipeline: name, extract: extract, writer: writer}
		all.Go(func() { s.run(ctx) })
		// The lag of a consumer that is not there is known to nobody but a watcher.
		all.Go(func() {
			_ = kafkacarrier.WatchLag(ctx, client, name, []string{name},
				kafkacarrier.WithInterval(time.Second), kafkacarrier.WithObserver(h.metrics))
		})
	}
	all.Wait()
	return writer.Close()
}

// source writes the rows of one pipeline.
type source struct {
	*host
	pipeline string
	extract  *stages.Stage
	writer   *kafkacarrier.Writer
	next     int
	frozen   time.Time // The event time while it stands still.
}

func (s *source) run(ctx context.Context) {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for ctx.Err() == nil {
		n := int((rowsPerSecond + s.faults.get(s.pipeline, Rush)) * pulse.Seconds())
		// The result is in the metrics, and the next batch is tried in any case.
		_ = s.extract.Run(ctx, func(ctx context.Context) error { return s.write(ctx, n) })
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// write writes n rows.
func (s *source) write(ctx context.Context, n int) error {
	run, now := stages.FromContext(ctx), time.Now()
	ctx = propagation.ContextWithWaybill(ctx, propagation.Waybill{Origin: now})
	msgs := make([]kafka.Message, n)
	for i := range msgs {
		s.next++
		value, err := json.Marshal(s.row(now))
		if err != nil {
			return err
		}
		msgs[i] = kafka.Message{Topic: s.pipeline, Key: []byte(strconv.Itoa(s.next)), Value: value}
		run.BytesOut(len(value))
	}
	run.Read(n)
	if err := s.writer.WriteMessages(ctx, msgs...); err != nil {
		return err
	}
	run.Wrote(n)
	return nil
}

func (s *source) row(now time.Time) row {
	r := row{ID: s.next, Amount: 1, Time: now}
	switch {
	case s.faults.get(s.pipeline, Freeze) == 0:
		s.frozen = time.Time{}
	case s.frozen.IsZero():
		s.frozen = now
	}
	if !s.frozen.IsZero() {
		r.Time = s.frozen
	}
	r.Time = r.Time.Add(seconds(s.faults.get(s.pipeline, Ahead)))
	if rand.Float64() < s.faults.get(s.pipeline, Poison) {
		r.Amount = -1
	}
	return r
}
