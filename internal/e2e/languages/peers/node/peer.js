// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// A service in JavaScript, with the instrumentation of kafkajs.
//
//	peer.js produce TOPIC COUNT
//	peer.js each TOPIC COUNT [NEXT]
//	peer.js batch TOPIC COUNT [NEXT]
//
// The consumer sends each message on to the topic NEXT. KAFKA_BROKER names the
// server, and the variables of OpenTelemetry everything else.
'use strict';

const { NodeSDK } = require('@opentelemetry/sdk-node');
const { KafkaJsInstrumentation } = require('@opentelemetry/instrumentation-kafkajs');

const sdk = new NodeSDK({ instrumentations: [new KafkaJsInstrumentation()] });
sdk.start();

const { trace } = require('@opentelemetry/api');
const { Kafka, Partitioners, logLevel } = require('kafkajs');

const tracer = trace.getTracer('peer');

// within runs fn in a span.
const within = (name, fn) =>
  tracer.startActiveSpan(name, async (span) => {
    try {
      return await fn();
    } finally {
      span.end();
    }
  });

async function produce(producer, topic, count) {
  for (let n = 0; n < count; n++) {
    await within('order', () => producer.send({ topic, messages: [{ value: `order ${n}` }] }));
  }
}

// consume returns when count messages have been handled, each by one call of handle.
async function consume(consumer, topic, count, how, handle) {
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise((resolve, reject) => {
    const one = async (message) => {
      await within('handle', () => handle(message));
      count--;
    };
    const done = () => count <= 0 && setImmediate(resolve);
    consumer.on(consumer.events.CRASH, (event) => reject(event.payload.error));
    consumer.on(consumer.events.END_BATCH_PROCESS, done);
    consumer.run({
      each: { eachMessage: ({ message }) => one(message) },
      batch: {
        eachBatch: async ({ batch }) => {
          for (const message of batch.messages) {
            await one(message);
          }
        },
      },
    }[how]).catch(reject);
  });
}

async function main([how, topic, count, next]) {
  const kafka = new Kafka({ brokers: [process.env.KAFKA_BROKER], logLevel: logLevel.ERROR });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  if (how === 'produce') {
    await produce(producer, topic, Number(count));
  } else {
    const consumer = kafka.consumer({ groupId: topic });
    await consumer.connect();
    await consume(consumer, topic, Number(count), how, async ({ value }) => {
      if (next) {
        await producer.send({ topic: next, messages: [{ value }] });
      }
    });
    await consumer.disconnect();
  }
  await producer.disconnect();
  await sdk.shutdown();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
