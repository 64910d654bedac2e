// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build airflow

package airflow_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

// The driver reads spark.waybill.KEY and the arguments, the Python worker of an
// executor its environment. All are children of the span that submits the application,
// although the environment that it is submitted in holds another context, which is the
// one in the environment of the driver.
func TestSpark(t *testing.T) {
	for _, test := range []struct{ name, master, locale, text string }{
		{name: "executor in the driver, without a locale", master: "local[1]", locale: "C", text: withoutLocale(text)},
		{name: "executor in its own processes", master: "local-cluster[1,1,1024]", locale: "C.UTF-8", text: text},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := flowtest.New(t)
			shop := f.Service("shop").Tracer("test")
			stale, other := shop.Start(f.Context(), "other")
			other.End()
			ctx, span := shop.Start(withTenant(f.Context(), t), "submit report")
			properties, err := jobcarrier.Inject(ctx, map[string]string{
				"spark.ui.enabled":                "false",
				"spark.test.text":                 text,
				"spark.executorEnv.TEST_BOTH":     "of executorEnv",
				"spark.executorEnv.TEST_EXECUTOR": "of executorEnv",
				withoutPrefix:                     "x",
			}, jobcarrier.Spark(), carried)
			if err != nil {
				t.Fatal(err)
			}
			args := jobcarrier.InjectArgs(ctx, []string{"--text=" + text}, jobcarrier.Spark(), carried)
			log := submit(t, test.master, append(f.Env(stale, "driver"), "LC_ALL="+test.locale), properties, args)
			properties["spark.test.text"] = test.text
			span.End()

			if !strings.Contains(log, "Ignoring non-Spark config property: "+withoutPrefix) {
				t.Errorf("no warning of a property that is no property of Spark in:\n%s", log)
			}
			jobs := []string{"driver report", "driver report by arguments", "executor count"}
			r := f.Wait(patience, jobs...)
			for _, name := range jobs {
				job := r.Span(name).Times(1).ChildOf("shop submit report").LinkedTo("shop submit report").Remote()
				job.Attr("waybill.extract", "ok").Attr("etl.outcome", "success").Attr("test.tenant", tenant)
				w, err := propagation.ParseWaybill(valueOf(r, name, "test.waybill").AsString())
				if err != nil || w.Hops != 2 {
					t.Errorf("%s passes on the waybill %v, error %v; want one with 2 hops", name, w, err)
				}
			}
			r.Span("driver report").Attr("test.rows", 10)
			r.Span("driver report by arguments").Attr("test.text", test.text)
			r.Span("executor count").Attr("test.local", test.text)
			r.RequireNoFindings()
			driver, worker := valueOf(r, "driver report", "test.pid"), valueOf(r, "executor count", "test.pid")
			if driver == worker {
				t.Errorf("the rows were counted in the driver, process %d; want a worker", driver.AsInt64())
			}
			requireEnvironments(t, r, f.EnvMap(stale, "driver")["TRACEPARENT"], properties["spark.executorEnv.TRACEPARENT"])
			requireProperties(t, r, properties)
		})
	}
}

// withoutLocale returns what a Java without a locale, as in many images, makes of text.
func withoutLocale(text string) string {
	garbled := []byte(text)
	for i, b := range garbled {
		if b > unicode.MaxASCII {
			garbled[i] = '?'
		}
	}
	return string(garbled)
}

// withoutPrefix is a property that is none of Spark's.
const withoutPrefix = "waybill.traceparent"

// requireEnvironments checks that executorEnv reaches the workers only, and replaces the
// variables of the shell, which reach the driver and the workers.
func requireEnvironments(t *testing.T, r *flowtest.Recording, stale, sent string) {
	t.Helper()
	for name, want := range map[string]map[string]string{
		"driver report":  {"TRACEPARENT": stale, "TEST_SHELL": "of the shell", "TEST_BOTH": "of the shell"},
		"executor count": {"TRACEPARENT": sent, "TEST_SHELL": "of the shell", "TEST_BOTH": "of executorEnv", "TEST_EXECUTOR": "of executorEnv"},
	} {
		if diff := cmp.Diff(want, decoded(t, r, name, "test.environment")); diff != "" {
			t.Errorf("environment of %s (-want +got):\n%s", name, diff)
		}
	}
}

// requireProperties checks that the driver has the properties, but for the one that is
// none of Spark's. A file changes some values, but none that jobcarrier writes.
func requireProperties(t *testing.T, r *flowtest.Recording, properties map[string]string) {
	t.Helper()
	want := maps.Clone(properties)
	delete(want, withoutPrefix)
	maps.Copy(want, inFile(properties))
	want["spark.file.changed"] = "C:\temp" // With a tab, and without the space at its end.
	got := decoded(t, r, "driver report", "test.properties")
	maps.DeleteFunc(got, func(key, _ string) bool { _, wanted := want[key]; return !wanted && key != withoutPrefix })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("properties of the driver (-want +got):\n%s", diff)
	}
}

// inFile returns what a properties file holds: copies of the context for the driver, and
// a value that it changes.
func inFile(properties map[string]string) map[string]string {
	file := map[string]string{"spark.file.changed": `C:\temp `}
	for key, value := range properties {
		if rest, ok := strings.CutPrefix(key, "spark.waybill."); ok {
			file["spark.file."+rest] = value
		}
	}
	return file
}

// decoded returns the JSON in an attribute.
func decoded(t *testing.T, r *flowtest.Recording, name, key string) (values map[string]string) {
	t.Helper()
	if err := json.Unmarshal([]byte(valueOf(r, name, key).AsString()), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// submit runs the application to its end, and returns its log.
func submit(t *testing.T, master string, env []string, properties map[string]string, args []string) string {
	t.Helper()
	interpreter := python(t, "spark")
	file := filepath.Join(t.TempDir(), "spark.properties")
	if err := os.WriteFile(file, []byte(strings.Join(assignments(inFile(properties)), "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	line := []string{"--master", master, "--properties-file", file}
	for _, assignment := range assignments(properties) {
		line = append(line, "--conf", assignment)
	}
	line = append(line, absolute(t, "spark/report.py"))

	cmd := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(interpreter), "spark-submit"), append(line, args...)...)
	cmd.Env = slices.Concat(cmd.Environ(), env, []string{
		pythonPath(t), "PYSPARK_PYTHON=" + interpreter, "PYSPARK_DRIVER_PYTHON=" + interpreter,
		"SPARK_LOCAL_IP=127.0.0.1", "SPARK_LOCAL_DIRS=" + t.TempDir(),
		"TEST_SHELL=of the shell", "TEST_BOTH=of the shell",
	})
	cmd.WaitDelay = time.Second
	log, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("spark-submit: %v\n%s", err, log)
	}
	return string(log)
}

// assignments returns properties as KEY=VALUE, sorted.
func assignments(properties map[string]string) []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		all = append(all, key+"="+properties[key])
	}
	return all
}

// Spark on Kubernetes and on YARN has the prefixes of the variables of a driver, which
// have no effect under the masters above.
func TestSpark_DriverVariables(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	ctx, span := f.Service("shop").Tracer("test").Start(f.Context(), "submit report")
	defer span.End()
	properties, err := jobcarrier.Inject(ctx, nil, jobcarrier.Spark())
	if err != nil {
		t.Fatal(err)
	}
	for jar, prefix := range map[string]string{
		"spark-kubernetes": "spark.kubernetes.driverEnv.",
		"spark-yarn":       "spark.yarn.appMasterEnv.",
	} {
		if _, ok := properties[prefix+"TRACEPARENT"]; !ok {
			t.Errorf("no property %sTRACEPARENT in %v", prefix, properties)
		}
		if !isInJar(t, jar, prefix) {
			t.Errorf("no class in the jar of %s has %q", jar, prefix)
		}
	}
}

// isInJar reports whether a class in a jar of Spark has a constant that holds text.
func isInJar(t *testing.T, jar, text string) bool {
	t.Helper()
	pattern := filepath.Join(filepath.Dir(python(t, "spark")), "../lib/python*/site-packages/pyspark/jars", jar+"_*.jar")
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) != 1 {
		t.Fatalf("%s matches %q, error %v; want one file", pattern, files, err)
	}
	classes, err := zip.OpenReader(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer classes.Close() //nolint:errcheck // It is only read.
	for _, class := range classes.File {
		if content, err := fs.ReadFile(classes, class.Name); err == nil && bytes.Contains(content, []byte(text)) {
			return true
		}
	}
	return false
}
