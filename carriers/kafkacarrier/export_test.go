// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import "github.com/segmentio/kafka-go"

// Message returns the message that c carries, for tests that copy it.
func (c *Carrier) Message() *kafka.Message { return c.msg }

// ErrorType is errorType for the tests.
func ErrorType(err error) string { return errorType(err) }

// NewReaderOf is NewReader for a fake.
func NewReaderOf(r MessageReader, opts ...Option) *Reader { return newReader(r, opts) }

// Window is window for the tests.
type Window struct{ window }

// Track is track.
func (w *Window) Track(offset int64) (again bool, skipped int64) { return w.track(offset) }

// Missing is missing.
func (w *Window) Missing() int64 { return w.missing() }
