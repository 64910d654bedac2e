// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"encoding/json"
	"iter"
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
		s := &source{host: h, pipeline: name, writer: writer}
		if s.extract, err = p.Stage("extract", stages.WithSource("orders")); err != nil {
			return err
		}
		if s.publish, err = p.Stage("publish"); err != nil {
			return err
		}
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
	publish  *stages.Stage
	writer   *kafkacarrier.Writer
	next     int
	frozen   time.Time // The event time while it stands still.
}

func (s *source) run(ctx context.Context) {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for ctx.Err() == nil {
		// The result is in the metrics, and the next batch is tried in any case.
		_ = s.send(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// send writes the rows of a pulse.
func (s *source) send(ctx context.Context) error {
	ctx = propagation.ContextWithWaybill(ctx, propagation.Waybill{Origin: time.Now()})
	var msgs []kafka.Message
	for r, err := range stages.Seq(ctx, s.extract, s.rows()) {
		if err != nil {
			return err
		}
		value, err := json.Marshal(r)
		if err != nil {
			return err
		}
		msgs = append(msgs, kafka.Message{Topic: s.pipeline, Key: []byte(strconv.Itoa(r.ID)), Value: value})
	}
	return s.publish.Run(ctx, func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		run.Read(len(msgs))
		if err := s.writer.WriteMessages(ctx, msgs...); err != nil {
			return err
		}
		for _, msg := range msgs {
			run.BytesOut(len(msg.Value))
		}
		run.Wrote(len(msgs))
		return nil
	})
}

// rows returns the rows of a pulse.
func (s *source) rows() iter.Seq2[row, error] {
	n := int((rowsPerSecond + s.faults.get(s.pipeline, Rush)) * pulse.Seconds())
	return func(yield func(row, error) bool) {
		for range n {
			s.next++
			if !yield(s.row(time.Now()), nil) {
				return
			}
		}
	}
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
