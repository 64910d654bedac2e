# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""The tracer of the tasks."""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor


def tracer() -> trace.Tracer:
    """Return the tracer of Airflow's provider, or of one of our own where Airflow has none."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)
    return trace.get_tracer("tasks")
