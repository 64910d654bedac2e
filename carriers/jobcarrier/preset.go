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

// preset is what a job service asks of parameters. The zero preset is that of a
// service that is not known.
type preset struct {
	// names returns where the value of a key goes; the key itself if it is nil.
	names func(key string) []string
	// nameMarks are the characters that are safe in a name beside ASCII letters
	// and digits; safeInNames if it is empty.
	nameMarks string
	// opaqueMarks are further characters that are safe in a value, but for
	// baggage, which can be encoded.
	opaqueMarks string
	// baggageMarks are further characters that are safe in baggage.
	baggageMarks string
	// refused is text that no value may hold; none if it is empty.
	refused string
	// ascii reports whether values may only hold ASCII, and asciiArguments
	// whether arguments may.
	ascii, asciiArguments bool
	// maxJSON is the most bytes the parameters may have as JSON; 0 is no limit.
	maxJSON int
}

// The characters, beside letters and digits, that reach a process as they are on
// every way from a parameter to it: through a shell in double or in single
// quotes, through kubelet, through templates, JSON and Java properties. All
// others are unsafe: whoever wrote the context that is passed on could have them
// expanded, or run.
const (
	safeInValues = " %*+,-./:;=@_~"
	safeInNames  = " -._"
)

// maxValue is the longest value: half of what Linux takes as one argument or
// variable of a process.
const maxValue = 64 << 10

func (ps preset) namesOf(key string) []string {
	if ps.names == nil {
		return []string{key}
	}
	return ps.names(key)
}

// pass returns what may be sent for a value, or that nothing may. In baggage,
// values may be percent-encoded; everything else is opaque, and left out.
func (ps preset) pass(key, value string) (string, bool) {
	if !ps.passesNames(key) || len(value) > maxValue {
		return "", false
	}
	if key == keyBaggage {
		value = encodeValues(value, func(b byte) bool { return ps.isSafe(rune(b), ps.baggageMarks) })
		return value, ps.passes(value, ps.baggageMarks)
	}
	return value, ps.passes(value, ps.opaqueMarks)
}

// passesNames reports whether the names that key goes under hold nothing but
// what is safe.
func (ps preset) passesNames(key string) bool {
	marks := ps.nameMarks
	if marks == "" {
		marks = safeInNames
	}
	unsafe := func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune(marks, r) }
	return !slices.ContainsFunc(ps.namesOf(key), func(name string) bool { return strings.ContainsFunc(name, unsafe) })
}

// passes reports whether value holds nothing but what is safe. White space at
// either end is not: some ways cut it off.
func (ps preset) passes(value, marks string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return !ps.isSafe(r, marks) }) &&
		!strings.HasPrefix(value, " ") && !strings.HasSuffix(value, " ") &&
		(ps.refused == "" || !strings.Contains(value, ps.refused))
}

// isSafe reports whether r reaches a process as it is. marks are characters that
// are safe beside those that always are.
func (ps preset) isSafe(r rune, marks string) bool {
	if r > unicode.MaxASCII {
		return !ps.ascii && (unicode.IsLetter(r) || unicode.IsDigit(r))
	}
	return isAlphanumeric(r) || strings.ContainsRune(safeInValues, r) || strings.ContainsRune(marks, r)
}

// encodeValues returns a baggage with each byte of its values that is not safe
// percent-encoded, as far as it is a byte that baggage may hold. Names have no
// encoding.
// https://www.w3.org/TR/baggage/#definition
func encodeValues(baggage string, isSafe func(byte) bool) string {
	var out strings.Builder
	inValue := false
	for i := range len(baggage) {
		b := baggage[i]
		if inValue && '!' <= b && b <= '~' && !isSafe(b) {
			fmt.Fprintf(&out, "%%%02X", b)
			continue
		}
		inValue = b == '=' || inValue && b != ',' && b != ';'
		out.WriteByte(b)
	}
	return out.String()
}

// passesArgument reports whether an argument can hold value as the flag key.
func (ps preset) passesArgument(key, value string) bool {
	beyondASCII := func(r rune) bool { return r > unicode.MaxASCII }
	return key == property(key) && (!ps.asciiArguments || !strings.ContainsFunc(value, beyondASCII))
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
// value holds letters, digits, spaces, "%*+,-./:;=@_~", and braces that are not
// "{{", which Databricks reads as a reference: all else is percent-encoded in
// baggage, and another value with it is left out. The
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
		nameMarks: "_-.", opaqueMarks: "{}", refused: reference, asciiArguments: true,
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
// A cluster exports them in a shell and expands references to secrets. A value
// holds ASCII letters, digits, spaces and "%*+,-./:;=@_~": all else is
// percent-encoded in baggage, and another value with it is left out.
// https://docs.databricks.com/aws/en/compute/configure#environment-variables
func DatabricksEnv() Option {
	return preset{names: func(key string) []string { return []string{variable(key)} }, ascii: true}
}

// Argo writes what an Argo workflow takes as parameters. Keys are ASCII letters,
// digits, "_" and "-"; another one is left out. A value holds letters, digits,
// spaces and "%*+,-./:;=@_~": all else is percent-encoded in baggage, and another
// value with it is left out, because Argo reads "{{" as a reference, and kubelet
// "$(" where a template has the parameter in an argument or a variable. The
// workflow must declare the parameters under spec.arguments, with an empty value
// as the default.
// https://argo-workflows.readthedocs.io/en/latest/variables/
func Argo() Option { return preset{nameMarks: "_-"} }

// Airflow writes the plain keys, which Airflow leaves alone and a task reads
// from dag_run.conf, and the traceparent once more under the key that from
// Airflow 3.4 on makes Airflow's own spans children of the span in ctx. For a
// conf with values that are not strings see [InjectConf].
//
// Airflow does not render a conf, but tasks put its values into commands and
// variables. A value holds letters, digits, spaces, braces and "%*+,-./:;=@_~":
// all else is percent-encoded in baggage, and another value with it is left out.
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
var airflow = preset{
	names: func(key string) []string {
		if key == keyTraceparent {
			return []string{key, airflowParent}
		}
		return []string{key}
	},
	nameMarks: safeInNames + "/", opaqueMarks: "{}", baggageMarks: "{}",
}

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
// YARN runs variables and arguments through a shell, and Kubernetes expands
// them. A value holds ASCII letters, digits, spaces and "%*+,-./:;=@_~": all else
// is percent-encoded in baggage, and another value with it is left out.
// Application arguments, see [InjectArgs], reach the driver too.
// https://spark.apache.org/docs/latest/configuration.html#runtime-environment
func Spark() Option { return preset{names: sparkNames, ascii: true} }

func sparkNames(key string) []string {
	name := variable(key)
	return []string{
		"spark.waybill." + property(key),
		"spark.executorEnv." + name,
		"spark.kubernetes.driverEnv." + name,
		"spark.yarn.appMasterEnv." + name,
	}
}

// property returns key as a part of a property's name, with a "_" for every
// character that is not safe in one.
func property(key string) string {
	return strings.Map(func(r rune) rune {
		if isAlphanumeric(r) || strings.ContainsRune("-._", r) {
			return r
		}
		return '_'
	}, key)
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
