#!/bin/sh
# Copyright The waybill Authors
# SPDX-License-Identifier: Apache-2.0

# Loads the orders of a day: a job that knows nothing of OpenTelemetry. Run it as
#
#	waybill exec --name load-orders -- ./load.sh < orders.csv
#
# and the flow that started it shows how long it took, how it ended, and its rows.
# Alone it does the same work: without waybill nobody reads what it reports.
set -eu

read=0 wrote=0 rejected=0
while IFS=, read -r id amount; do
	read=$((read + 1))
	if [ -z "$amount" ]; then
		rejected=$((rejected + 1))
		continue
	fi
	echo "load $id: $amount"
	wrote=$((wrote + 1))
done

echo "::rows read=$read wrote=$wrote" >> "${WAYBILL_REPORT:-/dev/null}"
if [ "$rejected" -gt 0 ]; then
	echo "::rows rejected=$rejected reason=\"no amount\"" >> "${WAYBILL_REPORT:-/dev/null}"
fi
