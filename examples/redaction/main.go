// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command redaction shows what a span says of a message and of an error: nothing by
// default, and what a redactor lets through when one asks for more.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"regexp"
	"strings"

	"github.com/segmentio/kafka-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// redactor decides what may be on a span.
type redactor struct{ secret []byte }

// personal is what error texts quote and nobody may read.
var personal = regexp.MustCompile(`[\w.%+-]+@[\w.-]+\.\w+|\b\d{13,19}\b`)

// text returns the text of err without what is personal.
func (redactor) text(err error) string { return personal.ReplaceAllString(err.Error(), "***") }

// pseudonym returns the same text for the same value. Only who has the secret can
// find out for which: a hash without one is undone by trying all addresses.
func (r redactor) pseudonym(value []byte) string {
	mac := hmac.New(sha256.New, r.secret)
	mac.Write(value)
	return hex.EncodeToString(mac.Sum(nil)[:6])
}

// header returns what may be seen of a header.
func (r redactor) header(key string, value []byte) string {
	if key == "tenant" {
		return string(value)
	}
	return r.pseudonym(value)
}

// consumers are what handles payments, on its way from Kafka to MongoDB.
type consumers struct {
	kafka *kafkacarrier.Consumer
	stage *stages.Stage
	mongo *mongocarrier.Consumer
}

// silent says nothing of messages and errors. It is the default.
func silent(provider trace.TracerProvider) (consumers, error) {
	return newConsumers(
		[]kafkacarrier.ConsumerOption{kafkacarrier.WithTracerProvider(provider)},
		[]stages.Option{stages.WithTracerProvider(provider)},
		[]mongocarrier.ConsumerOption{mongocarrier.WithTracerProvider(provider)},
	)
}

// redacted says what r lets through.
func redacted(provider trace.TracerProvider, r redactor) (consumers, error) {
	return newConsumers(
		[]kafkacarrier.ConsumerOption{
			kafkacarrier.WithTracerProvider(provider),
			kafkacarrier.WithMessageKey(r.pseudonym),
			kafkacarrier.WithHeaders("tenant", "user"),
			kafkacarrier.WithHeaderValues(r.header),
			kafkacarrier.WithErrorDescription(r.text),
		},
		[]stages.Option{stages.WithTracerProvider(provider), stages.WithErrorDescription(r.text)},
		[]mongocarrier.ConsumerOption{mongocarrier.WithTracerProvider(provider), mongocarrier.WithErrorDescription(r.text)},
	)
}

func newConsumers(onKafka []kafkacarrier.ConsumerOption, onStage []stages.Option, onMongo []mongocarrier.ConsumerOption) (consumers, error) {
	pipeline, err := stages.NewPipeline("payments", onStage...)
	if err != nil {
		return consumers{}, err
	}
	load, err := pipeline.Stage("load")
	if err != nil {
		return consumers{}, err
	}
	return consumers{kafkacarrier.NewConsumer(onKafka...), load, mongocarrier.NewConsumer("payments", onMongo...)}, nil
}

// handle handles a payment that fails everywhere.
func (c consumers) handle(ctx context.Context, msg kafka.Message) {
	duplicate := errors.New("duplicate key: alice@example.com, card 4111111111111111")
	_ = c.kafka.Process(ctx, msg, func(ctx context.Context) error {
		return c.stage.Run(ctx, func(ctx context.Context) error {
			return c.mongo.Process(ctx, propagation.Remote{}, func(context.Context) error { return duplicate })
		})
	})
}

func main() {
	msg := kafka.Message{
		Topic: "payments", Key: []byte("alice@example.com"), Value: []byte(`{"card":"4111111111111111"}`),
		Headers: []kafka.Header{{Key: "tenant", Value: []byte("acme")}, {Key: "user", Value: []byte("alice")}},
	}
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)) // Yours has an exporter.
	quiet, err := silent(provider)
	if err != nil {
		log.Fatal(err)
	}
	telling, err := redacted(provider, redactor{secret: []byte("from your secret store")})
	if err != nil {
		log.Fatal(err)
	}

	fmt.Println("by default")
	quiet.handle(context.Background(), msg)
	show(recorder)
	fmt.Println("with a redactor")
	telling.handle(context.Background(), msg)
	show(recorder)
}

// show prints what the spans say of the message and of the error.
func show(recorder *tracetest.SpanRecorder) {
	for _, span := range recorder.Ended() {
		fmt.Printf("  %-16s  status: %s\n", span.Name(), span.Status().Description)
		for _, a := range span.Attributes() {
			if key := string(a.Key); strings.HasPrefix(key, "messaging.header.") || strings.HasPrefix(key, "messaging.kafka.message.") {
				fmt.Printf("  %-16s  %s: %s\n", "", key, a.Value.String())
			}
		}
	}
	recorder.Reset()
}
