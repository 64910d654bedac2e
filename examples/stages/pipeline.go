// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/stages"
)

// row is a row of yours, and half is what becomes of it.
type (
	row  struct{ number int }
	half struct{ of, is int }
)

// pipeline holds the stages.
type pipeline struct {
	extract  *stages.Stage
	validate func(context.Context, row) error
	halve    func(context.Context, row) (half, error)
	queue    *stages.Queue[half]
	load     func(context.Context, half) error
}

func newPipeline(observer *metrics.Metrics) (*pipeline, error) {
	p, err := stages.NewPipeline("example", stages.WithObserver(observer))
	if err != nil {
		return nil, err
	}
	extract, errExtract := p.Stage("extract")
	validate, errValidate := p.Stage("validate")
	transform, errTransform := p.Stage("half")
	load, errLoad := p.Stage("load")
	queue, errQueue := stages.NewQueue[half](load, 16)
	checks, errChecks := stages.NewValidator(validate, []stages.Check[row]{
		stages.NewCheck("even", func(r row) bool { return r.number%2 == 0 }),
	})
	return &pipeline{
		extract:  extract,
		validate: checks.Validate,
		halve:    stages.Wrap(transform, halve), // A function of the same type.
		queue:    queue,
		load:     stages.WrapErr(load, show),
	}, errors.Join(errExtract, errValidate, errTransform, errLoad, errQueue, errChecks)
}

// run moves rows through the pipeline, the loader beside the rest.
func (p *pipeline) run(ctx context.Context, rows iter.Seq2[row, error]) error {
	var loading sync.WaitGroup
	defer loading.Wait()
	defer p.queue.Close()
	loading.Go(func() {
		for ctx, h := range p.queue.All(context.WithoutCancel(ctx)) { // What is in the queue is loaded.
			_ = p.load(ctx, h)
		}
	})
	for r, err := range stages.Seq(ctx, p.extract, rows) {
		if err != nil {
			return err
		}
		if p.validate(ctx, r) != nil {
			continue // It is counted.
		}
		h, err := p.halve(ctx, r)
		if err != nil {
			return err
		}
		if err := p.queue.Put(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// halve is any function of yours. What it counts is up to it.
func halve(ctx context.Context, r row) (half, error) {
	stages.FromContext(ctx).Read(1)
	stages.FromContext(ctx).Wrote(1)
	return half{r.number, r.number / 2}, nil
}

func show(ctx context.Context, h half) error {
	stages.FromContext(ctx).Wrote(1)
	_, err := fmt.Println(h.of, "->", h.is)
	return err
}
