// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// way is what happens to values between parameters and a process. It returns
// what arrives. Each model follows the code that it is named for; a model of a
// shell runs a shell.
type way func(t testing.TB, values []string) []string

// each is the way of a value that does not depend on others.
func each(arrives func(value string) string) way {
	return func(_ testing.TB, values []string) []string {
		arrived := make([]string, len(values))
		for i, value := range values {
			arrived[i] = arrives(value)
		}
		return arrived
	}
}

// secret is the value that no way may put in the place of a reference.
const secret = "s3cr3t"

// kubelet expands $(NAME) in arguments and variables of a container.
// https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
func kubelet(value string) string {
	return regexp.MustCompile(`(?s)\$\$|\$\([^)]*\)`).ReplaceAllStringFunc(value, func(found string) string {
		if found == "$$" {
			return "$"
		}
		return secret
	})
}

// template replaces what stands between two pairs of braces, as Argo does once
// more with a value that it has put into a nested template.
// https://argo-workflows.readthedocs.io/en/latest/variables/
func template(value string) string {
	return regexp.MustCompile(`(?s)\{\{.*?\}\}`).ReplaceAllString(value, secret)
}

// inJSON is what arrives of a value in a JSON document.
func inJSON(value string) string {
	var got string
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	return fmt.Sprint(got, strings.TrimPrefix(fmt.Sprint(err), "<nil>"))
}

// hadoop expands the markers of a value before it gets into a launch script, as
// ContainerLaunch.expandEnvironment of Hadoop 3.4.1 does.
func hadoop(value string) string {
	return strings.NewReplacer("<LOG_DIR>", "/logs", "<CPS>", ":", "{{", "$", "}}", "").Replace(value)
}

// sparkQuoted quotes an argument as YarnSparkHadoopUtil.escapeForShell of Spark
// does.
func sparkQuoted(value string) string {
	return "'" + strings.NewReplacer("$", `\$`, `"`, `\"`, "'", `'\''`).Replace(value) + "'"
}

// service is a preset, and the ways from its parameters and its arguments to a
// process.
type service struct {
	preset jobcarrier.Option
	params []way
	args   []way
}

func services() map[string]service {
	document, tmpl, container, file := each(inJSON), each(template), each(kubelet), each(strings.TrimSpace)
	all := []way{document, tmpl, container, file, inDoubleQuotes, inSingleQuotes}
	return map[string]service{
		"none":          {nil, all, all},
		"Databricks":    {jobcarrier.Databricks(), []way{document, tmpl, inDoubleQuotes, inSingleQuotes}, []way{document, tmpl}},
		"DatabricksEnv": {jobcarrier.DatabricksEnv(), []way{document, tmpl, inDoubleQuotes, inSingleQuotes}, all},
		"Argo":          {jobcarrier.Argo(), []way{document, tmpl, container, inDoubleQuotes}, []way{document, tmpl, container}},
		"Airflow":       {jobcarrier.Airflow(), []way{document, container, inDoubleQuotes, inSingleQuotes}, []way{document, container, inDoubleQuotes}},
		"Glue":          {jobcarrier.Glue(), []way{document, inDoubleQuotes, inSingleQuotes}, all},
		"Prefect":       {jobcarrier.Prefect(), []way{document, inDoubleQuotes}, all},
		"Spark":         {jobcarrier.Spark(), []way{file, container, inLaunchScript}, []way{container, inLaunchCommand}},
	}
}

// check reports values that do not arrive as they are.
func check(t testing.TB, values []string, ways []way) {
	t.Helper()
	for i, way := range ways {
		arrived := way(t, values)
		if len(arrived) != len(values) {
			t.Errorf("%d of %d values arrive on way %d", len(arrived), len(values), i)
			continue
		}
		for j, value := range values {
			if arrived[j] != value {
				t.Errorf("%q arrives as %q on way %d", value, arrived[j], i)
			}
		}
	}
}

// attacks are values that some way to a process expands, runs or cuts.
func attacks() []string {
	values := []string{
		"evil=$(touch canary)", "evil=`touch canary`", "evil=${DB_PASSWORD}", "evil=$DB_PASSWORD", "evil=$(DB_PASSWORD)", "evil=$$(DB_PASSWORD)",
		`evil=";touch canary;"`, `evil=\`, `evil=\";touch canary;"`, "evil=';touch canary;'", "evil='$(touch canary)'", "evil=x\ntouch canary\n",
		"evil=x\rtouch canary", "evil={{workflow.name}}", "evil={{secrets/a/b}}", "evil={{=sprig.env('A')}}", "evil={{DB_PASSWORD}}", "{{", "evil={{{x}}}",
		"evil=<LOG_DIR>", "evil=<CPS>x", "evil=%DB_PASSWORD%", "evil=!!", "evil=~", "evil=~root", "evil=* ?", " evil=x", "evil=x ", "evil=x\t", "evil=a  b",
		"evil=$'\\x41'", "evil=$((1+1))", "evil=$[1+1]", "evil=<(touch canary)", "evil=x|touch canary", "evil=x&touch canary", "evil=x>canary", "evil=\x00",
		"evil=\xff", "evil=\u00a0", "evil=\u2028", "evil=\ufeffx", "evil=gr\u00fcn", "evil=\uff04(DB_PASSWORD)", "evil=a}b", "evil=a{b", "evil=#x", "evil=-x", "evil=--",
	}
	for b := range 256 {
		values = append(values, fmt.Sprintf("a=x%cy", b), fmt.Sprintf("a=%c", b), "a=x"+string([]byte{byte(b)})+"y")
	}
	pieces := []string{"$", "(", ")", "{", "}", "{{", "}}", "`", `"`, `'`, `\`, "\n", "<", ">", "|", "&", ";", "%", " ", "=", ",", "touch canary", "DB_PASSWORD", "a", "LOG_DIR"}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same values in each run.
	for range 1000 {
		var value strings.Builder
		for range 1 + random.IntN(8) {
			value.WriteString(pieces[random.IntN(len(pieces))])
		}
		values = append(values, "a="+value.String())
	}
	return values
}

// written returns what Inject writes of value under a preset, as a tracestate
// and as a baggage, and what InjectArgs writes.
func written(t testing.TB, value string, preset jobcarrier.Option) (params map[string]string, args []string) {
	t.Helper()
	opts := []jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPropagator(pair(value))), preset, jobcarrier.WithPropagation(propagation.WithMaxBytes(0))}
	params, err := jobcarrier.Inject(spanContext(t), nil, opts...)
	if err != nil && len(value) < 500 {
		t.Errorf("error %v for %q", err, value)
	}
	return params, jobcarrier.InjectArgs(spanContext(t), []string{}, opts...)
}

// checkLossless reports a value that is written as anything but itself.
func checkLossless(t testing.TB, value, name, got string) {
	t.Helper()
	if !strings.HasSuffix(strings.ToLower(name), "baggage") {
		if got != value {
			t.Errorf("%s: %q was written for %q", name, got, value)
		}
		return
	}
	decoded, want := got, value
	for b := '!'; b <= '~'; b++ {
		escaped := fmt.Sprintf("%%%02X", b)
		decoded, want = strings.ReplaceAll(decoded, escaped, string(b)), strings.ReplaceAll(want, escaped, string(b))
	}
	if decoded != want {
		t.Errorf("%s: %q was written for %q", name, got, value)
	}
}

// Whoever wrote the context that is passed on must not have a part of it
// expanded or run.
func TestPresets_ValuesReachTheProcess(t *testing.T) {
	t.Parallel()
	for name, service := range services() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var allParams, allArgs []string
			for _, value := range attacks() {
				params, args := written(t, value, service.preset)
				for name, param := range params {
					checkLossless(t, value, name, param)
					allParams = append(allParams, param)
				}
				allArgs = append(allArgs, args...)
			}
			if len(allParams) < 500 || len(allArgs) < 500 {
				t.Errorf("only %d parameters and %d arguments are written", len(allParams), len(allArgs))
			}
			check(t, allParams, service.params)
			check(t, allArgs, service.args)
		})
	}
}

// Letters of other languages stay out where a value is written by a program with an
// encoding of its own: a launch script, a cluster, tags.
func TestPresets_Letters(t *testing.T) {
	t.Parallel()
	ascii := []string{"DatabricksEnv", "Spark", "Dagster"}
	for name, preset := range presets() {
		for _, value := range []string{"gr\u00fcn", "\u53f0\u5317", "\u0661"} {
			params, _ := written(t, value, preset)
			if got, want := len(params) > 0, !slices.Contains(ascii, name); got != want {
				t.Errorf("%s: %q is written: %t, want %t", name, value, got, want)
			}
		}
	}
}

func FuzzPresets_ValuesReachTheProcess(f *testing.F) {
	for _, value := range attacks()[:45] {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, service := range services() {
			params, args := written(t, value, service.preset)
			for name, param := range params {
				checkLossless(t, value, name, param)
			}
			if len(value) > 1000 {
				continue // a command line is limited.
			}
			check(t, slices.Collect(maps.Values(params)), service.params)
			check(t, args, service.args)
		}
	})
}

// A propagator may have keys that the writer of a context chooses, as the one of
// OpenTracing has for baggage.
func TestPresets_KeysReachTheProcess(t *testing.T) {
	t.Parallel()
	names := regexp.MustCompile(`^[a-zA-Z0-9 ._/-]+$`)
	for name, service := range services() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, key := range attacks() {
				opts := []jobcarrier.Option{jobcarrier.WithPropagation(propagation.WithPropagator(keyed(key))), service.preset}
				params, err := jobcarrier.Inject(spanContext(t), nil, opts...)
				for name := range params {
					if !names.MatchString(name) {
						t.Errorf("%q goes under %q", key, name)
					}
				}
				for _, arg := range jobcarrier.InjectArgs(spanContext(t), []string{}, opts...) {
					if flag, value, _ := strings.Cut(arg, "="); !names.MatchString(flag) || strings.Contains(flag, " ") || value != "v" {
						t.Errorf("%q goes into %q", key, arg)
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// The input that was found: a context is extracted, and injected with the
// defaults.
func TestPresets_HostileContext(t *testing.T) {
	t.Parallel()
	with := jobcarrier.WithPropagation(propagation.WithPropagator(w3c), propagation.WithBaggage("user"))
	incoming := map[string]string{"traceparent": traceparent, "tracestate": "evil=$(touch /tmp/x)", "baggage": "user=$(DB_PASSWORD)`id`"}
	ctx := jobcarrier.Extract(t.Context(), incoming, with)
	for name, service := range services() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			params, err := jobcarrier.Inject(ctx, nil, with, service.preset)
			if err != nil {
				t.Error(err)
			}
			texts := slices.Concat(slices.Collect(maps.Keys(params)), slices.Collect(maps.Values(params)),
				jobcarrier.InjectArgs(ctx, []string{}, with, service.preset))
			for _, text := range texts {
				if strings.ContainsAny(text, "$`") {
					t.Errorf("%q is written", text)
				}
			}
			remote := jobcarrier.Read(params, with, service.preset)
			if got := remote.Baggage().Member("user").Value(); got != "$(DB_PASSWORD)`id`" {
				t.Errorf("the receiver reads the baggage %q, want it as it was", got)
			}
			if remote.Err() != nil || remote.SpanContext().TraceState().Len() != 0 {
				t.Errorf("error %v, tracestate %q, want none of either", remote.Err(), remote.SpanContext().TraceState())
			}
		})
	}
}

// A tracestate is not written without its trace context.
func TestInject_UnsafeTraceContext(t *testing.T) {
	t.Parallel()
	params, err := jobcarrier.Inject(spanContext(t), nil, jobcarrier.WithPropagation(propagation.WithPropagator(unsafeParent{})))
	if err != nil || len(params) != 1 || params["baggage"] != "a=1" {
		t.Errorf("parameters %q, error %v, want only the baggage", params, err)
	}
}

type unsafeParent struct{}

func (unsafeParent) Inject(_ context.Context, c propagation.TextMapCarrier) {
	c.Set("traceparent", "$(id)")
	c.Set("tracestate", "a=1")
	c.Set("baggage", "a=1")
}

func (unsafeParent) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	return ctx
}
func (unsafeParent) Fields() []string { return []string{"traceparent", "tracestate", "baggage"} }
