// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"strings"

	"github.com/waybill-go/waybill/internal/envname"
)

// preset describes what a job service requires of parameters. The zero preset is
// for a service that is not known.
type preset struct {
	// names returns the names that a key has among the parameters. If it is nil,
	// a key is its own name.
	names func(key string) []string
	// nameMarks are the characters that are safe in a name besides ASCII letters
	// and digits. If it is empty, they are safeInNames.
	nameMarks string
	// opaqueMarks and baggageMarks are more characters that are safe in values,
	// the latter in baggage, which can be encoded.
	opaqueMarks, baggageMarks string
	// onlyMarks are the only characters that are safe in values besides ASCII letters
	// and digits, or empty for safeInValues.
	onlyMarks string
	// maxValue is the length of the longest value, in bytes; 0 means maxArgument.
	maxValue int
	// refused is text that no value may hold, or empty.
	refused string
	// ascii reports whether values may only hold ASCII, and asciiArguments
	// whether arguments may.
	ascii, asciiArguments bool
	// maxJSON is the limit of the parameters as JSON, in bytes; 0 means no limit.
	maxJSON int
}

func (ps preset) apply(cfg config) config {
	cfg.preset = ps
	return cfg
}

// namesOf returns the names that key has among the parameters.
func (ps preset) namesOf(key string) []string {
	if ps.names == nil {
		return []string{key}
	}
	return ps.names(key)
}

// Databricks returns the preset for the JobParameters of a Databricks job, and
// for the older parameters of notebook, named Python, SQL and JAR tasks.
//
// Keys hold ASCII letters, digits, "_", "-" and "."; other keys are left out. In
// a value that is not baggage, braces are safe too, but not "{{", which
// Databricks reads as a reference. Python and spark-submit tasks have arguments,
// which hold only ASCII; a value with other characters is left out.
//
// The parameters as JSON, with the name of their field, have at most 10,000
// bytes. Over that limit the baggage is dropped first, then the tracestate, then
// the waybill. If there is no room for the rest, [Inject] returns [ErrTooLarge]. The
// base parameters of a notebook may have 1 MB: use no preset for large ones.
//
// The job must define the parameters; see [ParameterDefinitions]. A run of
// runs/submit has none, but its tasks have their own. The traceparent header that
// the Databricks SDK sends is not the context of ctx, and no header reaches the
// run.
// https://docs.databricks.com/api/workspace/jobs/runnow
// https://docs.databricks.com/aws/en/jobs/dynamic-value-references
func Databricks() Option {
	return preset{
		nameMarks: "_-.", opaqueMarks: "{}", refused: "{{", asciiArguments: true,
		maxJSON: databricksLimit - len(databricksField),
	}
}

const (
	databricksLimit = 10_000
	databricksField = `{"python_named_params":}` // the longest name of a field.
)

// DatabricksEnv returns the preset for the spark_env_vars of a new Databricks
// cluster: names of environment variables, such as TRACEPARENT, which a process
// reads with carriers/envcarrier. Use it for a cluster that is created for one
// run, as by runs/submit; a cluster that runs share would give all of them one
// context.
//
// A cluster exports the variables in a shell and expands references to secrets.
// Only ASCII letters are safe.
// https://docs.databricks.com/aws/en/compute/configure#environment-variables
func DatabricksEnv() Option {
	return preset{names: func(key string) []string { return []string{envname.Normalize(key)} }, ascii: true}
}

// Argo returns the preset for the parameters of an Argo workflow.
//
// Keys hold ASCII letters, digits, "_" and "-"; other keys are left out. Argo
// reads "{{" as a reference, and kubelet "$(" where a template has the parameter
// in an argument or a variable, so neither is safe. A workflow that refers to the
// parameters must declare them under spec.arguments, with an empty default, or Argo
// refuses a run without them.
// https://argo-workflows.readthedocs.io/en/latest/variables/
func Argo() Option { return preset{nameMarks: "_-"} }

// Airflow returns the preset for the conf of an Airflow DAG run. It writes the
// plain keys, which Airflow ignores and a task reads from dag_run.conf, and the
// traceparent once more under the key that from Airflow 3.4 on makes Airflow's
// own spans children of the span in ctx. Without the preset only the plain keys
// are written, and Airflow's spans stay in a trace of their own. For a conf with
// values that are not strings use [InjectConf].
//
// Braces are safe too, because Airflow does not render a conf. Other characters
// are not, because tasks put the values into commands and variables.
//
// A run that is cleared reads its conf again and joins the same trace. A DAG that
// declares a Param with one of the keys as its name validates the value.
// https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/params.html
func Airflow() Option { return airflow }

var airflow = preset{
	names: func(key string) []string {
		if key == keyTraceparent {
			return []string{key, airflowParent}
		}
		return []string{key}
	},
	nameMarks: safeInNames + "/", opaqueMarks: "{}", baggageMarks: "{}",
}

// Spark returns the preset for the configuration of a Spark application, for
// --conf or the SparkConf of a launcher. Each key becomes a property
// spark.waybill.KEY, which the driver reads under any master, and an environment
// variable of the executors, of the driver in Kubernetes and of the application
// master in YARN. The last two have no effect under another master.
//
// YARN runs variables and arguments through a shell, and Kubernetes expands them.
// Only ASCII letters are safe. The arguments of an application, see [InjectArgs],
// reach the driver too.
// https://spark.apache.org/docs/latest/configuration.html#runtime-environment
func Spark() Option { return preset{names: sparkNames, ascii: true} }

func sparkNames(key string) []string {
	name := envname.Normalize(key)
	return []string{
		"spark.waybill." + propertyName(key),
		"spark.executorEnv." + name,
		"spark.kubernetes.driverEnv." + name,
		"spark.yarn.appMasterEnv." + name,
	}
}

// propertyName returns key with an underscore for every character that is not
// safe in the name of a property.
func propertyName(key string) string {
	isUnsafe := isUnsafeBeside(safeInFlags)
	return strings.Map(func(r rune) rune {
		if isUnsafe(r) {
			return '_'
		}
		return r
	}, key)
}

// Glue returns the preset for the Arguments of an AWS Glue job run: each key begins
// with two hyphens, as in --traceparent. The script finds the context in sys.argv; do
// not name it to getResolvedOptions, which fails if an argument is not there.
//
// All arguments together have at most 260 KB, here counted as 260,000 bytes of JSON.
// Over that limit parts of the context are left out as for [Databricks].
// https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
func Glue() Option {
	return preset{names: func(key string) []string { return []string{"--" + key} }, maxJSON: 260_000}
}

// Prefect returns the preset for the labels of a Prefect flow run: the plain keys, and
// the traceparent once more under the label that makes the span of Prefect's own flow
// run, if it has one, a child of the span in ctx. Prefect then replaces that label by
// its own span, and a flow that reads the labels of its run finds ours under the plain
// keys.
//
// Parameters of a flow run need no preset, but Prefect refuses those that the flow does
// not declare.
// https://github.com/PrefectHQ/prefect/blob/main/src/prefect/telemetry/run_telemetry.py
func Prefect() Option {
	return preset{names: func(key string) []string {
		if key == keyTraceparent {
			return []string{key, prefectParent}
		}
		return []string{key}
	}}
}

const prefectParent = "__OTEL_TRACEPARENT"

// Dagster returns the preset for the tags of a Dagster run, which ops and assets read
// from the run of their context.
//
// Keys and values hold ASCII letters, digits, "_", "-" and ".", and at most 63 of them:
// a traceparent and a waybill fit, and other values are left out. That is what the
// documentation says of tags; the code of Dagster 1.13 checks it for assets only.
// https://docs.dagster.io/guides/build/assets/metadata-and-tags/tags
func Dagster() Option {
	return preset{nameMarks: "_-.", onlyMarks: "_-.", ascii: true, maxValue: 63}
}
