# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""Reports on a region, as a Python script task of Databricks: script.py --region=Chile"""

import argparse

import waybill_receiver
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)

parser = argparse.ArgumentParser()
parser.add_argument("--region", required=True)
_, args = waybill_receiver.take_args()
options = parser.parse_args(args)  # It refuses arguments that it does not know.

with waybill_receiver.start_job(trace.get_tracer("report"), "report"):
    print("the report of", options.region)
