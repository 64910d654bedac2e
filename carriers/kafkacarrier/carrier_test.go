// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/carriers/carriertest"
	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
)

func TestCarrier_Conforms(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func() propagation.TextMapCarrier { return kafkacarrier.New(new(kafka.Message)) },
		carriertest.WithFoldedKeys(), carriertest.WithLastValue(),
		carriertest.WithNil(
			func() propagation.TextMapCarrier { return kafkacarrier.New(nil) },
			func() propagation.TextMapCarrier { return new(kafkacarrier.Carrier) },
			func() propagation.TextMapCarrier { return (*kafkacarrier.Carrier)(nil) },
		),
		carriertest.WithFork(func(c propagation.TextMapCarrier) propagation.TextMapCarrier {
			fork := *c.(*kafkacarrier.Carrier).Message()
			return kafkacarrier.New(&fork)
		}),
		carriertest.WithRepeats(func(key string, values ...string) propagation.TextMapCarrier {
			msg := new(kafka.Message)
			for _, v := range values {
				msg.Headers = append(msg.Headers, kafka.Header{Key: key, Value: []byte(v)})
			}
			return kafkacarrier.New(msg)
		}),
		carriertest.WithEntries(func(c propagation.TextMapCarrier) int {
			return len(c.(*kafkacarrier.Carrier).Message().Headers)
		}),
	)
}
