// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package airflow tests carriers/jobcarrier and waybill_receiver.py with Airflow and
// Spark: a run that Go starts continues the flow in Python. The tests have the tag
// airflow, need what `deps.sh CACHE_DIR airflow` installs, and are not part of CI.
package airflow
