// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"encoding/json"
	"strings"
)

// preset is what a job service asks of parameters.
type preset struct {
	// names returns where the value of a key goes; the key itself if it is nil.
	names func(key string) []string
	// marks are what a key may hold beside ASCII letters and digits; anything if
	// it is empty.
	marks string
	// references reports whether the service expands {{references}} in values.
	references bool
	// maxJSON is the most bytes the parameters may have as JSON; 0 is no limit.
	maxJSON int
}

func (ps preset) namesOf(key string) []string {
	if ps.names == nil {
		return []string{key}
	}
	return ps.names(key)
}

// pass returns what may be sent for a value, or that nothing may. Where a
// service would find a {{reference}}, the values of baggage are percent-encoded,
// as they may be; everything else is opaque, and left out.
// https://www.w3.org/TR/baggage/#value
func (ps preset) pass(key, value string) (string, bool) {
	switch {
	case ps.marks != "" && strings.ContainsFunc(key, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune(ps.marks, r) }):
		return "", false
	case !ps.references:
		return value, true
	case key == keyBaggage:
		return strings.NewReplacer("{", "%7B", "}", "%7D").Replace(value), true
	default:
		return value, !strings.Contains(value, "{{")
	}
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// fits reports whether the service takes params, a map or a list.
func (ps preset) fits(params any) bool {
	if ps.maxJSON == 0 {
		return true
	}
	text, err := json.Marshal(params)
	return err != nil || len(text) <= ps.maxJSON // what is no JSON is for the service to refuse.
}

func (ps preset) apply(cfg config) config {
	cfg.preset = ps
	return cfg
}

// Databricks writes what a Databricks job takes as JobParameters, or as one of
// the older notebook, named Python, SQL or JAR parameters.
//
// Keys are ASCII letters, digits, "_", "-" and "."; another one is left out. A
// value must not hold "{{", which Databricks reads as a reference: braces in
// baggage are percent-encoded, and another value with "{{" is left out. The
// parameters as JSON have at most 10,000 bytes, with the name of their field:
// over it the baggage goes first, then the tracestate, then the waybill, and
// what is too large then is [ErrTooLarge].
//
// The job must define the parameters: see [ParameterDefinitions].
// https://docs.databricks.com/api/workspace/jobs/runnow
// https://docs.databricks.com/aws/en/jobs/dynamic-value-references
func Databricks() Option {
	return preset{marks: "_-.", references: true, maxJSON: databricksLimit - len(databricksField)}
}

const (
	databricksLimit = 10_000
	databricksField = `{"python_named_params":}` // the longest of the fields.
)

// Argo writes what an Argo workflow takes as parameters. Keys are ASCII letters,
// digits, "_" and "-"; another one is left out. A value must not hold "{{", which
// Argo reads as a reference: braces in baggage are percent-encoded,
// and another value with "{{" is left out. The workflow must declare the
// parameters under spec.arguments, with an empty value as the default.
// https://argo-workflows.readthedocs.io/en/latest/variables/
func Argo() Option { return preset{marks: "_-", references: true} }

// Airflow writes the plain keys, which Airflow leaves alone and a task reads
// from dag_run.conf, and the traceparent once more under the key that from
// Airflow 3.4 on makes Airflow's own spans children of the span in ctx. For a
// conf with values that are not strings see [InjectConf].
// Values arrive byte for byte: Airflow does not render a conf.
func Airflow() Option { return airflow }

// airflowParent is the key of the parent of Airflow's own spans: a traceparent,
// or a mapping of traceparent and tracestate.
const airflowParent = "airflow/dagrun_parent_trace_context"

//nolint:gochecknoglobals // constant.
var airflow = preset{names: func(key string) []string {
	if key == keyTraceparent {
		return []string{key, airflowParent}
	}
	return []string{key}
}}

// airflowMapping is what p has for Airflow's own spans.
func (p *parcel) airflowMapping() map[string]any {
	mapping := map[string]any{}
	for _, key := range []string{keyTraceparent, keyTracestate} {
		if value, ok := p.values[key]; ok {
			mapping[key] = value
		}
	}
	return mapping
}

// Spark writes the configuration of a Spark application, for --conf or the
// SparkConf of a launcher: each key as a property spark.waybill.KEY, which the
// driver reads under any master, and as an environment variable of the
// executors, of the driver in Kubernetes and of the application master in YARN.
// The last two have no effect under another master.
//
// Application arguments, see [InjectArgs], reach the driver too. A properties
// file does not keep values as they are.
// https://spark.apache.org/docs/latest/configuration.html#runtime-environment
func Spark() Option { return preset{names: sparkNames} }

func sparkNames(key string) []string {
	variable := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case isAlphanumeric(r):
			return r
		default:
			return '_'
		}
	}, key)
	return []string{
		"spark.waybill." + key,
		"spark.executorEnv." + variable,
		"spark.kubernetes.driverEnv." + variable,
		"spark.yarn.appMasterEnv." + variable,
	}
}
