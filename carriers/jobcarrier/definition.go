// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import "context"

// ParameterDefinition declares a parameter of a job, with an empty default. As
// JSON it is an element of the parameters of a Databricks job, and it converts
// to the JobParameterDefinition of the Databricks SDK.
// https://docs.databricks.com/api/workspace/jobs/create#parameters
type ParameterDefinition struct {
	Default string `json:"default"`
	Name    string `json:"name"`
}

// ParameterDefinitions returns the parameters a job must declare to be given a
// context: one for each field of the propagator, in order of their names.
func ParameterDefinitions(opts ...Option) []ParameterDefinition {
	var definitions []ParameterDefinition
	for _, field := range pack(context.Context(nil), newConfig(opts)).fields {
		definitions = append(definitions, ParameterDefinition{Name: field})
	}
	return definitions
}

// Reference returns the text that a Databricks task's own parameters hold to be
// given this one: "{{job.parameters.traceparent}}". Notebooks and other tasks
// with named parameters are given it without; Python scripts, JARs, spark-submit
// and for-each tasks are not.
// https://docs.databricks.com/aws/en/jobs/dynamic-value-references
func (d ParameterDefinition) Reference() string {
	return "{{job.parameters." + d.Name + "}}"
}
