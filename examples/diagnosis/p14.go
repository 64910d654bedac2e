// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
)

// All handlers share one variable: when they run, it holds the context of the last
// message.
func p14Fault(ctx context.Context, s *system, msgs []kafka.Message) error {
	var msgCtx context.Context
	var handlers []func() error
	for _, msg := range msgs {
		msgCtx = kafkacarrier.Extract(ctx, msg)
		handlers = append(handlers, func() error { return s.handle(msgCtx, msg) })
	}
	return runAll(handlers)
}

// Each handler has a variable of its own.
func p14Cure(ctx context.Context, s *system, msgs []kafka.Message) error {
	var handlers []func() error
	for _, msg := range msgs {
		msgCtx := kafkacarrier.Extract(ctx, msg)
		handlers = append(handlers, func() error { return s.handle(msgCtx, msg) })
	}
	return runAll(handlers)
}

func runAll(handlers []func() error) error {
	for _, handle := range handlers {
		if err := handle(); err != nil {
			return err
		}
	}
	return nil
}

// handle handles a message in a span.
func (s *system) handle(ctx context.Context, msg kafka.Message) error {
	ctx, span := s.worker.Start(ctx, "process orders", consumer, processes(msg), offset(msg))
	defer span.End()
	return s.store(ctx, msg)
}
