# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""The program of the folder assess, in Python."""

import os
import signal
import sys
import time

import waybill_receiver
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)


# Python ends at once on SIGTERM, without its spans, unless the signal raises an exception.
def stop(number, _):
    signal.signal(number, signal.SIG_IGN)  # It may come twice: to the process, and to its group.
    sys.exit(128 + number)


signal.signal(signal.SIGTERM, stop)

with waybill_receiver.start_job(trace.get_tracer("assess"), "assess"):
    print("assessing", os.environ["REGION"], flush=True)
    while os.environ["REGION"] == "World":
        time.sleep(0.1)  # The world takes until somebody stops it.
