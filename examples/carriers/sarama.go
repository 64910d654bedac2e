// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"slices"
	"strings"

	"github.com/IBM/sarama"

	"github.com/waybill-go/waybill/propagation"
)

// saramaHeaders reads and writes the headers of a message. It does not write to a
// list of headers that messages share. If a key occurs more than once, the last
// header wins.
type saramaHeaders struct{}

func (saramaHeaders) Get(headers *[]sarama.RecordHeader, key string) (value string) {
	for _, h := range *headers {
		if strings.EqualFold(string(h.Key), key) {
			value = string(h.Value)
		}
	}
	return value
}

func (s saramaHeaders) Set(headers *[]sarama.RecordHeader, key, value string) {
	s.Delete(headers, key)
	*headers = append(*headers, sarama.RecordHeader{Key: []byte(key), Value: []byte(value)})
}

func (saramaHeaders) Delete(headers *[]sarama.RecordHeader, key string) {
	*headers = slices.DeleteFunc(slices.Clone(*headers), func(h sarama.RecordHeader) bool { return strings.EqualFold(string(h.Key), key) })
}

// InjectSarama writes the context of ctx to msg, to be produced with sarama. A topic
// keeps its messages, so they carry no baggage.
func InjectSarama(ctx context.Context, msg *sarama.ProducerMessage) {
	propagation.Inject(ctx, &msg.Headers, saramaHeaders{}, propagation.WithoutBaggage())
}
