# Databricks notebook source
# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

import waybill_receiver
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)

# COMMAND ----------

with waybill_receiver.start_job(trace.get_tracer("report"), "report", dbutils.widgets.getAll()):  # noqa: F821
    print("the report of", dbutils.widgets.get("region"))  # noqa: F821
