// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import "github.com/segmentio/kafka-go"

// Message returns the message that c carries, for tests that copy it.
func (c *Carrier) Message() *kafka.Message { return c.msg }

// ErrorType is errorType for the tests.
func ErrorType(err error) string { return errorType(err) }
