// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import "slices"

// ParameterDefinition declares a parameter of a job. As JSON it is an element of
// the parameters of a Databricks job. It converts to the JobParameterDefinition
// of the Databricks SDK.
// https://docs.databricks.com/api/workspace/jobs/create#parameters
type ParameterDefinition struct {
	Default string `json:"default"`
	Name    string `json:"name"`
}

// ParameterDefinitions returns the parameters that a job must declare to receive
// a context: one for each field of the propagator, sorted by name.
func ParameterDefinitions(opts ...Option) []ParameterDefinition {
	var definitions []ParameterDefinition
	for _, field := range slices.Sorted(slices.Values(fieldsOf(newConfig(opts)).Cleared())) {
		definitions = append(definitions, ParameterDefinition{Name: field})
	}
	return definitions
}

// Reference returns the text that the parameters of a Databricks task hold to be
// given this parameter of the job, such as "{{job.parameters.traceparent}}". Use
// it for Python scripts, JARs, spark-submit and for-each tasks. Notebooks and
// other tasks with named parameters do not need it.
// https://docs.databricks.com/aws/en/jobs/dynamic-value-references
func (d ParameterDefinition) Reference() string {
	return "{{job.parameters." + d.Name + "}}"
}
