# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

"""Reports on the orders of a day, as a step in Python of a flow.

    waybill exec --name report-orders -- python3 report.py < orders.csv

The span of the job is in the environment. With opentelemetry-api installed, the
spans of this program become its children; without it, the job still has its own.
"""

import os
import sys


def parent():
    """Returns the context of the job, or None without OpenTelemetry."""
    try:
        from opentelemetry import propagate
    except ImportError:
        return None
    return propagate.extract({name.lower(): value for name, value in os.environ.items()})


def main():
    context = parent()  # Pass it to start_as_current_span(..., context=context).
    rows = [line.rstrip("\n").split(",") for line in sys.stdin]
    amounts = [float(amount) for _, amount in rows if amount]
    print(f"{len(amounts)} orders, {sum(amounts):.2f} in all")
    with open(os.environ.get("WAYBILL_REPORT", os.devnull), "a", encoding="utf-8") as report:
        report.write(f'::rows read={len(rows)} wrote=1 rejected={len(rows) - len(amounts)} reason="no amount"\n')
    return context


if __name__ == "__main__":
    main()
