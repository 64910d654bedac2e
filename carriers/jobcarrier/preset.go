// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// preset is what a job service asks of parameters.
type preset struct {
	// names returns where the value of a key goes; the key itself if it is nil.
	names func(key string) []string
	// marks are what a key may hold beside ASCII letters and digits; anything if
	// it is empty.
	marks string
	// encoded are the bytes that are percent-encoded in the values of baggage.
	encoded string
	// refused are texts that no other value may hold.
	refused []string
	// asciiArguments reports whether arguments may only hold ASCII.
	asciiArguments bool
	// maxJSON is the most bytes the parameters may have as JSON; 0 is no limit.
	maxJSON int
}

func (ps preset) namesOf(key string) []string {
	if ps.names == nil {
		return []string{key}
	}
	return ps.names(key)
}

// pass returns what may be sent for a value, or that nothing may. In baggage,
// values may be percent-encoded; everything else is opaque, and left out.
func (ps preset) pass(key, value string) (string, bool) {
	if ps.marks != "" && strings.ContainsFunc(key, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune(ps.marks, r) }) {
		return "", false
	}
	if key == keyBaggage {
		return encodeValues(value, ps.encoded)
	}
	return value, !slices.ContainsFunc(ps.refused, func(text string) bool { return strings.Contains(value, text) })
}

// encodeValues returns a baggage with each byte of its values that is one of
// encoded percent-encoded, or that one stands in a name, where it has to stay.
// https://www.w3.org/TR/baggage/#definition
func encodeValues(baggage, encoded string) (string, bool) {
	var out strings.Builder
	inValue := false
	for i := range len(baggage) {
		switch b := baggage[i]; {
		case strings.IndexByte(encoded, b) < 0:
			inValue = b == '=' || inValue && b != ',' && b != ';'
			out.WriteByte(b)
		case inValue:
			fmt.Fprintf(&out, "%%%02X", b)
		default:
			return "", false
		}
	}
	return out.String(), true
}

// passesArgument reports whether an argument can hold value.
func (ps preset) passesArgument(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r == 0 || ps.asciiArguments && r > unicode.MaxASCII })
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

// reference is how a value begins in which a service finds something to expand.
const reference = "{{"

// Databricks writes what a Databricks job takes as JobParameters, or as one of
// the older notebook, named Python, SQL or JAR parameters.
//
// Keys are ASCII letters, digits, "_", "-" and "."; another one is left out. A
// value must not hold "{{", which Databricks reads as a reference: braces in
// baggage are percent-encoded, and another value with "{{" is left out. The
// parameters as JSON have at most 10,000 bytes, with the name of their field:
// over it the baggage goes first, then the tracestate, then the waybill, and
// what is too large then is [ErrTooLarge]. Arguments are those of Python and
// spark-submit tasks, which hold ASCII only: another value is left out.
//
// The job must define the parameters: see [ParameterDefinitions]. A run of
// runs/submit has none, but its tasks have their own. The traceparent header
// that the Databricks SDK sends is not the context of ctx, and no header reaches
// the run.
// https://docs.databricks.com/api/workspace/jobs/runnow
// https://docs.databricks.com/aws/en/jobs/dynamic-value-references
func Databricks() Option {
	return preset{
		marks: "_-.", encoded: "{}", refused: []string{reference}, asciiArguments: true,
		maxJSON: databricksLimit - len(databricksField),
	}
}

const (
	databricksLimit = 10_000
	databricksField = `{"python_named_params":}` // the longest of the fields.
)

// DatabricksEnv writes what a new cluster takes as spark_env_vars: names of
// variables, such as TRACEPARENT, which a process finds with
// carriers/envcarrier. It is for a cluster that is made for one run, as
// runs/submit does; a cluster that runs share would give all of them one
// context.
//
// A cluster sets them in single quotes: quotes and braces in baggage are
// percent-encoded, and another value with a quote or "{{" is left out.
// https://docs.databricks.com/aws/en/compute/configure#environment-variables
func DatabricksEnv() Option {
	return preset{
		names:   func(key string) []string { return []string{variable(key)} },
		encoded: "{}'", refused: []string{reference, "'"},
	}
}

// Argo writes what an Argo workflow takes as parameters. Keys are ASCII letters,
// digits, "_" and "-"; another one is left out. A value must not hold "{{", which
// Argo reads as a reference: braces in baggage are percent-encoded,
// and another value with "{{" is left out. The workflow must declare the
// parameters under spec.arguments, with an empty value as the default.
// https://argo-workflows.readthedocs.io/en/latest/variables/
func Argo() Option { return preset{marks: "_-", encoded: "{}", refused: []string{reference}} }

// Airflow writes the plain keys, which Airflow leaves alone and a task reads
// from dag_run.conf, and the traceparent once more under the key that from
// Airflow 3.4 on makes Airflow's own spans children of the span in ctx. For a
// conf with values that are not strings see [InjectConf].
// Values arrive byte for byte: Airflow does not render a conf.
//
// A run that is cleared reads its conf again and joins the same trace. Without
// this preset only the plain keys are written: Airflow's spans stay in a trace
// of their own, and the tasks link to the span in ctx. A DAG that declares a
// Param called as one of the keys checks the value.
// https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/params.html
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
// file does not keep values as they are, and neither does Kubernetes a variable
// with a $: the property spark.waybill.KEY does.
// https://spark.apache.org/docs/latest/configuration.html#runtime-environment
func Spark() Option { return preset{names: sparkNames} }

func sparkNames(key string) []string {
	name := variable(key)
	return []string{
		"spark.waybill." + key,
		"spark.executorEnv." + name,
		"spark.kubernetes.driverEnv." + name,
		"spark.yarn.appMasterEnv." + name,
	}
}

// variable returns the name of the environment variable that key travels under,
// as OpenTelemetry's environment carriers have it.
// https://opentelemetry.io/docs/specs/otel/context/env-carriers/#key-name-normalization
func variable(key string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case isAlphanumeric(r):
			return r
		default:
			return '_'
		}
	}, key)
	if name == "" || '0' <= name[0] && name[0] <= '9' {
		return "_" + name
	}
	return name
}
