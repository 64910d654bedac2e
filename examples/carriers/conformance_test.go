// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2"
	"github.com/IBM/sarama"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/eclipse/paho.golang/paho"
	"github.com/hibiken/asynq"
	"github.com/nats-io/nats.go"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"github.com/riverqueue/river/rivertype"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/grpc/metadata"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/carriers/carriertest"
	"github.com/waybill-go/waybill/propagation"
)

// The rules of the suite hold on the types of the clients.
func TestEveryClientPassesTheSuite(t *testing.T) {
	t.Parallel()
	type carrier = propagation.TextMapCarrier
	for name, run := range map[string]func(t *testing.T){
		"AMQP": func(t *testing.T) {
			carriertest.Run(t, func() carrier { return carriers.AnyMap(amqp.Publishing{Headers: amqp.Table{}}.Headers) })
		},
		"asynq": func(t *testing.T) {
			carriertest.Run(t, func() carrier {
				return carriers.Map(asynq.NewTaskWithHeaders("clean", nil, map[string]string{}).Headers())
			})
		},
		"CloudEvents": func(t *testing.T) {
			carriertest.RunAccessors(t, func() *event.Event { return new(event.New()) }, named{}, named{},
				carriertest.WithFoldedKeys(),
				carriertest.WithNil(func() *event.Event { return &event.Event{} }))
		},
		"franz-go": func(t *testing.T) {
			carriertest.RunAccessors(t, func() *kgo.Record { return &kgo.Record{} }, franzHeaders{}, franzHeaders{},
				carriertest.WithFoldedKeys(),
				carriertest.WithFork(func(r *kgo.Record) *kgo.Record { return new(*r) }),
				carriertest.WithEntries(func(r *kgo.Record) int { return len(r.Headers) }))
		},
		"gRPC": func(t *testing.T) {
			carriertest.Run(t, func() carrier { return carriers.FoldedMultiMap(metadata.MD{}) },
				carriertest.WithFoldedKeys())
		},
		"MQTT": func(t *testing.T) {
			carriertest.Run(t, func() carrier { return (*userProperties)(&new(paho.PublishProperties).User) },
				carriertest.WithFork(func(c carrier) carrier { return new(*c.(*userProperties)) }),
				carriertest.WithEntries(func(c carrier) int { return len(*c.(*userProperties)) }),
				carriertest.WithRepeats(func(key string, values ...string) carrier {
					var user paho.UserProperties
					for _, value := range values {
						user.Add(key, value)
					}
					return (*userProperties)(&user)
				}))
		},
		"NATS": func(t *testing.T) {
			carriertest.Run(t, func() carrier { return carriers.MultiMap(nats.NewMsg("quakes").Header) },
				carriertest.WithRepeats(func(key string, values ...string) carrier {
					header := nats.Header{}
					for _, value := range values {
						header.Add(key, value)
					}
					return carriers.MultiMap(header)
				}))
		},
		"Pub/Sub": func(t *testing.T) {
			carriertest.Run(t, func() carrier { return carriers.Map(pubsub.Message{Attributes: map[string]string{}}.Attributes) })
		},
		"Redis": func(t *testing.T) {
			carriertest.Run(t, func() carrier { return carriers.AnyMap(redis.XMessage{Values: map[string]any{}}.Values) })
		},
		"River": func(t *testing.T) {
			carriertest.Run(t, func() carrier { return carriers.JSON(&new(rivertype.JobInsertParams).Metadata) })
		},
		"S3": func(t *testing.T) {
			carriertest.Run(t, func() carrier { return carriers.FoldedMap(s3.PutObjectInput{Metadata: map[string]string{}}.Metadata) },
				carriertest.WithFoldedKeys())
		},
		"sarama": func(t *testing.T) {
			carriertest.RunAccessors(t, func() *[]sarama.RecordHeader { return new([]sarama.RecordHeader) }, saramaHeaders{}, saramaHeaders{},
				carriertest.WithFoldedKeys(),
				carriertest.WithFork(func(h *[]sarama.RecordHeader) *[]sarama.RecordHeader { return new(*h) }),
				carriertest.WithEntries(func(h *[]sarama.RecordHeader) int { return len(*h) }))
		},
		"SNS": func(t *testing.T) {
			carriertest.RunAccessors(t, func() map[string]snstypes.MessageAttributeValue {
				return map[string]snstypes.MessageAttributeValue{}
			}, snsAttributes{}, snsAttributes{})
		},
		"SQL": func(t *testing.T) {
			carriertest.Run(t, func() carrier { return carriers.JSON(new(string)) })
		},
		"SQS": func(t *testing.T) {
			carriertest.RunAccessors(t, func() map[string]sqstypes.MessageAttributeValue {
				return map[string]sqstypes.MessageAttributeValue{}
			}, sqsAttributes{}, sqsAttributes{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t)
		})
	}
}

// named gives the keys of the suite a name that an extension may have.
type named struct{ extensions }

func (n named) Get(e *event.Event, key string) string { return n.extensions.Get(e, name(key)) }
func (n named) Set(e *event.Event, key, value string) { n.extensions.Set(e, name(key), value) }
func (n named) Delete(e *event.Event, key string)     { n.extensions.Delete(e, name(key)) }

func name(key string) string { return strings.ReplaceAll(key, "-", "") }
