# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""Prints decisions of the consistent sampler of OpenTelemetry for Python.

    pip install --pre opentelemetry-sdk==1.45.1
    python decisions.py > decisions.csv
"""

import random

from opentelemetry.sdk.trace import _sampling_experimental as sampling
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import TraceState

random.seed(2918)
print("probability,trace_id,tracestate,sampled")
for probability in (1, 0.75, 0.5, 0.25, 0.1, 0.01):
    sampler = sampling.composite_sampler(sampling.composable_traceid_ratio_based(probability))
    for i in range(40):
        trace_id = random.getrandbits(128)
        member = f"rv:{random.getrandbits(56):014x}" if i % 2 else ""
        state = TraceState([("ot", member)]) if member else None
        result = sampler.should_sample(None, trace_id, "root", trace_state=state)
        sampled = result.decision == Decision.RECORD_AND_SAMPLE
        print(f"{probability},{trace_id:032x},{'ot=' + member if member else ''},{str(sampled).lower()}")
