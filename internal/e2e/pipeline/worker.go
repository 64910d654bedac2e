// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

const (
	// What is on its way in a worker is little beside the rows of a minute.
	queueRows = 30
	batchRows = 30
	fetchRows = 10
	// A batch takes loadTime, so a worker can load many times the usual rows.
	loadTime = 50 * time.Millisecond
	// retryShare of the batches is loaded at the second attempt.
	retryShare = 0.05
)

var (
	errUnknown = errors.New("the customer is unknown")
	errLocked  = errors.New("the table is locked")
)

// worker reads, validates and loads the rows of one pipeline.
type worker struct {
	*host
	pipeline string
	reader   *kafkacarrier.Reader
	validate *stages.Stage
	rules    *stages.Validator[row]
	load     *stages.Stage
	queue    *stages.Queue[delivery]
	ballast  []byte
}

// delivery is a message on its way to the load stage. A rejected one is not loaded;
// it is in the queue so that offsets are committed in their order.
type delivery struct {
	row      row
	msg      kafka.Message
	rejected bool
}

// work is what a worker does until ctx is done.
func (h *host) work(ctx context.Context) error {
	name := h.Pipelines[0]
	p, err := stages.NewPipeline(name, stages.WithObserver(h.metrics))
	if err != nil {
		return err
	}
	w := &worker{host: h, pipeline: name}
	if w.validate, err = p.Stage("validate", stages.WithSource(name)); err != nil {
		return err
	}
	if w.rules, err = stages.NewValidator(w.validate, []stages.Check[row]{
		stages.NewCheck("known", func(r row) bool { return r.ID > 0 }),
		stages.NewCheck("amount", func(r row) bool { return r.Amount >= 0 }),
	}); err != nil {
		return err
	}
	if w.load, err = p.Stage("load"); err != nil {
		return err
	}
	if w.queue, err = stages.NewQueue[delivery](w.load, queueRows); err != nil {
		return err
	}
	w.reader = kafkacarrier.NewReader(kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{h.Kafka}, GroupID: name, Topic: name, StartOffset: kafka.FirstOffset,
		MaxWait: 100 * time.Millisecond, SessionTimeout: 6 * time.Second, HeartbeatInterval: time.Second,
		RebalanceTimeout: 2 * time.Second, JoinGroupBackoff: 100 * time.Millisecond, QueueCapacity: fetchRows,
	}), kafkacarrier.WithObserver(h.metrics))
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		w.loadAll(ctx)
	}()
	err = w.read(ctx)
	w.queue.Close()
	<-loaded
	return errors.Join(err, w.reader.Close())
}

// read fetches messages and puts their rows into the queue.
func (w *worker) read(ctx context.Context) error {
	for {
		msg, err := w.reader.FetchMessage(ctx)
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			log.Print(err)
			continue
		}
		err = w.reader.Process(ctx, msg, func(ctx context.Context) error { return w.handle(ctx, msg) })
		if ctx.Err() != nil {
			return err
		}
	}
}

func (w *worker) handle(ctx context.Context, msg kafka.Message) error {
	parsed, err := stages.Call(ctx, w.validate, func(ctx context.Context) (row, error) { return w.parse(ctx, msg) })
	_, rejected := stages.RejectReason(err)
	if err != nil && !rejected {
		return err
	}
	return w.queue.Put(ctx, delivery{parsed, msg, rejected})
}

// parse returns the row of msg if it is valid.
func (w *worker) parse(ctx context.Context, msg kafka.Message) (row, error) {
	run := stages.FromContext(ctx)
	run.Read(1)
	run.BytesIn(len(msg.Value))
	if err := w.fail(); err != nil {
		return row{}, err
	}
	var r row
	if err := json.Unmarshal(msg.Value, &r); err != nil {
		return row{}, stages.Reject(err, "malformed")
	}
	run.EventTime(r.Time)
	if w.faults.get(w.pipeline, Explode) > 0 {
		return row{}, stages.Reject(errUnknown, "unknown customer "+strconv.Itoa(r.ID))
	}
	if err := w.rules.Validate(ctx, r); err != nil {
		return row{}, err
	}
	run.Wrote(1)
	return r, nil
}

// loadAll loads the rows of the queue in batches.
func (w *worker) loadAll(ctx context.Context) {
	for {
		first, err := w.queue.Take(ctx)
		if err != nil {
			return // What is in the queue is read again after a restart.
		}
		batch := []stages.Item[delivery]{first}
		for len(batch) < batchRows && w.queue.Stats().Rows > 0 {
			next, err := w.queue.Take(ctx)
			if err != nil {
				return
			}
			batch = append(batch, next)
		}
		w.hold(int(w.faults.get(w.pipeline, Hoard)))
		w.loadBatch(ctx, batch)
	}
}

// loadBatch loads and commits a batch.
func (w *worker) loadBatch(ctx context.Context, batch []stages.Item[delivery]) {
	var rows []row
	var remotes []propagation.Remote
	msgs := make([]kafka.Message, len(batch))
	for i, item := range batch {
		msgs[i] = item.Value.msg
		if !item.Value.rejected {
			rows = append(rows, item.Value.row)
			remotes = append(remotes, item.Remote())
		}
	}
	if len(rows) > 0 {
		// The result is in the metrics, and a batch that failed is skipped.
		_ = stages.Batch(ctx, w.load, remotes, func(ctx context.Context) error { return w.insert(ctx, rows) })
	}
	if ctx.Err() == nil {
		_ = w.reader.CommitMessages(ctx, msgs...) // What is not committed is read again.
	}
}

// insert stands for the write of a batch to a database.
func (w *worker) insert(ctx context.Context, rows []row) error {
	run := stages.FromContext(ctx)
	run.Read(len(rows))
	if err := sleep(ctx, loadTime+seconds(w.faults.get(w.pipeline, Slow))); err != nil {
		return err
	}
	if rand.Float64() < retryShare {
		run.Retried()
	}
	for w.faults.get(w.pipeline, Hang) > 0 {
		if err := sleep(ctx, pulse); err != nil {
			return err
		}
	}
	if err := w.fail(); err != nil {
		return err
	}
	for _, r := range rows {
		run.Watermark(r.Time)
	}
	run.Wrote(len(rows))
	return nil
}

func (w *worker) fail() error {
	if rand.Float64() < w.faults.get(w.pipeline, Fail) {
		return errLocked
	}
	return nil
}

// hold keeps n bytes of memory in use.
func (w *worker) hold(n int) {
	if n == len(w.ballast) {
		return
	}
	w.ballast = nil
	debug.FreeOSMemory()
	w.ballast = make([]byte, n)
	for i := range w.ballast {
		w.ballast[i] = 1
	}
}
