# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""A service in Python, with the instrumentation of its clients.

    peer.py produce CLIENT TOPIC COUNT
    peer.py consume CLIENT TOPIC COUNT [NEXT]
    peer.py insert DATABASE COLLECTION FIELD
    peer.py handle DATABASE COLLECTION FIELD
    peer.py job CARRIER COMMAND

CLIENT is kafka, confluent or batch, which is confluent's consume. The consumer
sends each message on to the topic NEXT. FIELD is where a document has the context;
waybill_receiver writes the field context, in a job. CARRIER is environment or
arguments, in which a job has its context and gives the command its own. KAFKA_BROKER and MONGODB_URI name the
servers, and the variables of OpenTelemetry everything else.
"""

import contextlib
import functools
import os
import subprocess
import sys

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

PATIENCE = 60  # seconds

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("peer")


@functools.cache
def kafka_python():
    import kafka
    from opentelemetry.instrumentation.kafka import KafkaInstrumentor

    KafkaInstrumentor().instrument()
    return kafka


@functools.cache
def confluent():
    from opentelemetry.instrumentation.confluent_kafka import ConfluentKafkaInstrumentor

    ConfluentKafkaInstrumentor().instrument()
    import confluent_kafka

    return confluent_kafka


def broker():
    return os.environ["KAFKA_BROKER"]


def sender(client):
    """Returns a function that sends a value to a topic, and one that waits."""
    if client == "kafka":
        producer = kafka_python().KafkaProducer(bootstrap_servers=broker())
        return producer.send, lambda: producer.flush(PATIENCE)
    producer = confluent().Producer({"bootstrap.servers": broker()})
    return producer.produce, lambda: producer.flush(PATIENCE)


def produce(client, topic, count):
    send, flush = sender(client)
    for n in range(int(count)):
        with tracer.start_as_current_span("order"):
            send(topic, b"order %d" % n)
    flush()


def with_kafka_python(topic, count, handle):
    consumer = kafka_python().KafkaConsumer(
        topic,
        bootstrap_servers=broker(),
        group_id=topic,
        auto_offset_reset="earliest",
        consumer_timeout_ms=PATIENCE * 1000,
    )
    for _ in range(count):
        message = next(consumer)
        # The span of the instrumentation has ended, and the context is the caller's
        # to extract, as its documentation says.
        headers = {key: value.decode() for key, value in message.headers}
        with tracer.start_as_current_span("handle", context=propagate.extract(headers)):
            handle(message.value)
    consumer.close()


def with_confluent(topic, count, handle, batch):
    consumer = confluent().Consumer(
        {"bootstrap.servers": broker(), "group.id": topic, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    while count > 0:
        messages = consumer.consume(count, 1) if batch else [consumer.poll(1)]
        for message in filter(None, messages):
            if message.error():
                raise RuntimeError(message.error())
            with tracer.start_as_current_span("handle"):
                handle(message.value())
            count -= 1
    consumer.poll(0.1)  # Ends the span of the last message, and brings nothing.
    consumer.close()


def consume(client, topic, count, following=None):
    send, flush = sender(client) if following else (None, lambda: None)

    def handle(value):
        if following:
            send(following, value)

    if client == "kafka":
        with_kafka_python(topic, int(count), handle)
    else:
        with_confluent(topic, int(count), handle, batch=client == "batch")
    flush()


def orders(database, collection):
    import pymongo

    return pymongo.MongoClient(os.environ["MONGODB_URI"])[database][collection]


@contextlib.contextmanager
def start_job(name):
    import waybill_receiver

    waybill = waybill_receiver.read().waybill
    with waybill_receiver.start_job(tracer, name) as span:
        span.set_attribute("test.hops", waybill.hops if waybill else 0)
        yield waybill_receiver


def job(carrier, *command):
    with start_job("report") as receiver:
        _, command = receiver.take_args(command)
        if carrier == "environment":
            subprocess.run(command, env=receiver.child_environ(), check=True)
        else:
            flags = [f"--{key}={value}" for key, value in receiver.inject().items()]
            subprocess.run([*command, *flags], check=True)


def insert(database, collection, field):
    from opentelemetry.instrumentation.pymongo import PymongoInstrumentor

    PymongoInstrumentor().instrument()
    doc = {"item": "tea", field: {}}
    with start_job("order") if field == "context" else tracer.start_as_current_span("order") as receiver:
        inject = receiver.inject if field == "context" else propagate.inject
        inject(doc[field])
        orders(database, collection).insert_one(doc)


def handle(database, collection, field):
    doc = orders(database, collection).find_one()  # Without instrumentation: a poll belongs to no flow.
    with tracer.start_as_current_span("handle", context=propagate.extract(doc[field])):
        pass


if __name__ == "__main__":
    commands = {"produce": produce, "consume": consume, "insert": insert, "handle": handle, "job": job}
    commands[sys.argv[1]](*sys.argv[2:])
    provider.shutdown()
