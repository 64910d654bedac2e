# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""The driver of a Spark application, whose configuration and arguments hold a context."""

import argparse
import json
import os

import waybill_receiver
from opentelemetry import baggage, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from pyspark import TaskContext
from pyspark.sql import SparkSession

BAGGAGE = ["tenant"]


def tracer(service: str) -> trace.Tracer:
    """Return the tracer of a service that sends its spans as the environment says."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("report")


def note(span: trace.Span) -> None:
    """Write to span what a test looks at."""
    span.set_attribute("test.tenant", str(baggage.get_baggage("tenant")))
    span.set_attribute("test.pid", os.getpid())
    span.set_attribute("test.waybill", waybill_receiver.inject().get("waybill", ""))
    names = ("TRACEPARENT", "TEST_SHELL", "TEST_BOTH", "TEST_EXECUTOR")
    span.set_attribute("test.environment", json.dumps({name: os.environ[name] for name in names if name in os.environ}))


def count(rows):
    """Count the rows of a partition, in a Python worker of an executor."""
    with waybill_receiver.start_job(tracer("executor"), "count", os.environ, baggage=BAGGAGE) as span:
        note(span)
        span.set_attribute("test.local", str(TaskContext.get().getLocalProperty("test.local")))
        yield sum(1 for _ in rows)


def main() -> None:
    """Count the same rows in a job of each carrier."""
    context, rest = waybill_receiver.take_args()
    parser = argparse.ArgumentParser()
    parser.add_argument("--text")
    text = parser.parse_args(rest).text

    with SparkSession.builder.getOrCreate() as spark:
        properties = spark.sparkContext.getConf().getAll()
        driver = tracer("driver")
        with waybill_receiver.start_job(driver, "report", properties, baggage=BAGGAGE) as span:
            note(span)
            span.set_attribute("test.properties", json.dumps(dict(properties)))
            spark.sparkContext.setLocalProperty("test.local", text)
            span.set_attribute("test.rows", spark.sparkContext.parallelize(range(10), 1).mapPartitions(count).sum())
        with waybill_receiver.start_job(driver, "report by arguments", context, baggage=BAGGAGE) as span:
            note(span)
            span.set_attribute("test.text", text)


if __name__ == "__main__":
    main()
