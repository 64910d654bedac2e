// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/jobs"
)

// launch is what the process of a task gets.
type launch struct {
	task    string
	named   map[string]string // The parameters of a notebook or a query.
	args    []string          // The arguments of a program.
	environ []string          // The variables of a new cluster.
}

// launchOf returns what the process of a task gets, or what Databricks finds wrong.
func launchOf(task jobs.SubmitTask, parameters map[string]string) (launch, error) {
	l := launch{task: task.TaskKey}
	named, args, field := valuesOf(task)
	if err := check(field, named); err != nil {
		return l, err
	}
	if err := checkList(field, args); err != nil {
		return l, err
	}
	switch {
	case task.NotebookTask != nil, task.SqlTask != nil:
		l.named = pushDown(parameters, named)
	case task.PythonWheelTask != nil && args == nil:
		named = pushDown(parameters, named)
		for _, key := range slices.Sorted(maps.Keys(named)) {
			l.args = append(l.args, "--"+key+"="+named[key])
		}
	case task.SparkSubmitTask != nil: // What follows the file is for the program.
		file := slices.IndexFunc(args, func(arg string) bool { return strings.HasSuffix(arg, ".jar") || strings.HasSuffix(arg, ".py") })
		args = args[file+1:]
		fallthrough
	default:
		for _, arg := range args {
			l.args = append(l.args, resolve(arg, parameters))
		}
	}
	if task.NewCluster == nil {
		return l, nil
	}
	var err error
	l.environ, err = exported(task.NewCluster.SparkEnvVars)
	return l, err
}

// valuesOf returns the parameters of a task, a map or a list, and the field whose limits
// they have: for most that of a call to run-now.
func valuesOf(task jobs.SubmitTask) (named map[string]string, args []string, field string) {
	switch {
	case task.NotebookTask != nil:
		return task.NotebookTask.BaseParameters, nil, "base_parameters"
	case task.SqlTask != nil:
		return task.SqlTask.Parameters, nil, "sql_params"
	case task.PythonWheelTask != nil:
		return task.PythonWheelTask.NamedParameters, task.PythonWheelTask.Parameters, "python_named_params"
	case task.SparkJarTask != nil:
		return nil, task.SparkJarTask.Parameters, "jar_params"
	case task.SparkSubmitTask != nil:
		return nil, task.SparkSubmitTask.Parameters, "spark_submit_params"
	default:
		return nil, task.SparkPythonTask.Parameters, "python_params"
	}
}

// pushDown returns the parameters of a task with those of its job, which win.
func pushDown(parameters, own map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, own)
	maps.Copy(all, parameters)
	return all
}

// exported returns variables as a cluster exports them, in a shell and in single quotes.
func exported(variables map[string]string) ([]string, error) {
	var script strings.Builder
	for name, value := range variables {
		fmt.Fprintf(&script, "export %s='%s'\n", name, value)
	}
	script.WriteString("exec env -0\n")
	cmd := exec.Command("sh")
	cmd.Stdin, cmd.Env = strings.NewReader(script.String()), []string{}
	out, err := cmd.Output()
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"), err
}

// reference is a reference to a parameter of the job.
var reference = regexp.MustCompile(`\{\{job\.parameters\.([A-Za-z0-9_.-]+)\}\}`)

// resolve returns an argument with the values that it refers to.
func resolve(arg string, parameters map[string]string) string {
	return reference.ReplaceAllStringFunc(arg, func(found string) string {
		return parameters[reference.FindStringSubmatch(found)[1]]
	})
}

var validKey = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// check reports parameters that Databricks would refuse, or replace.
func check(field string, parameters map[string]string) error {
	for key, value := range parameters {
		if !validKey.MatchString(key) {
			return fmt.Errorf("the key %q", key)
		}
		if strings.Contains(value, "{{") {
			return fmt.Errorf("%s has a reference: %q", key, value)
		}
	}
	return checkSize(field, parameters)
}

// checkList reports arguments that Databricks would refuse, or replace.
func checkList(field string, args []string) error {
	for _, arg := range args {
		if strings.Contains(reference.ReplaceAllString(arg, ""), "{{") {
			return fmt.Errorf("the argument %q has a reference that is not one to a parameter", arg)
		}
		if strings.ContainsFunc(arg, func(r rune) bool { return r > '~' }) {
			return fmt.Errorf("the argument %q is not ASCII", arg)
		}
	}
	return checkSize(field, args)
}

func checkSize(field string, parameters any) error {
	limit := 10_000
	if field == "base_parameters" {
		limit = 1_000_000
	}
	text, err := json.Marshal(map[string]any{field: parameters})
	if err == nil && len(text) > limit {
		err = fmt.Errorf("%s has %d bytes", field, len(text))
	}
	return err
}
