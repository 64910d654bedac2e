// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import "github.com/segmentio/kafka-go"

// balancer shows the Balancer of the user the messages with the WriterData that
// the caller gave them.
type balancer struct {
	w    *Writer
	next kafka.Balancer
}

// Balance returns what the Balancer of the user does.
func (b balancer) Balance(msg kafka.Message, partitions ...int) int {
	if t, ok := msg.WriterData.(*token); ok && t.call.w == b.w {
		msg.WriterData = t.data
	}
	return b.next.Balance(msg, partitions...)
}
