// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/envname"
	"github.com/waybill-go/waybill/propagation"
)

// Env returns environment variables, each as NAME=value, with which a process in any
// language becomes part of the flow: its OpenTelemetry sends its spans to the test, as
// those of the service called service, and finds the context of ctx. Append them to the
// environment of an [os/exec.Cmd], where the last value of a variable wins:
//
//	cmd := exec.CommandContext(ctx, "python3", "worker.py")
//	cmd.Env = append(os.Environ(), f.Env(ctx, "worker")...)
//
// The variables are those of the OpenTelemetry specification: the endpoint, OTLP over
// HTTP, OTEL_SERVICE_NAME, a sampler that samples all spans, a short delay of the batch
// processor, and no metrics or logs. If this process is told to use a proxy, NO_PROXY
// also names the endpoint. The endpoint also takes OTLP/JSON, gzip, and gRPC.
// The variables of the context, such as TRACEPARENT, are those of package envcarrier,
// and include the baggage of ctx. If ctx has no valid span they are empty, so that the
// process starts a trace of its own.
//
// The first call opens a port of the loopback interface, which is closed when the test
// ends. A container reaches it under another name than 127.0.0.1; see
// [Flow.EnvMap].
//
// After Env, [Flow.Wait] also waits for a span of the service. A span that is sent twice
// is recorded once. Env stops the test if the port cannot be opened or service is empty.
// It must not be called in a [testing/synctest] bubble, whose time stands still while a
// port is open.
func (f *Flow) Env(ctx context.Context, service string) []string {
	f.t.Helper()
	variables := f.EnvMap(ctx, service)
	environ := make([]string, 0, len(variables))
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		environ = append(environ, name+"="+variables[name])
	}
	return environ
}

// EnvMap returns the variables of [Flow.Env] as a map, as libraries that start
// containers take them. In a container, 127.0.0.1 is the container itself, so the host
// in the values of OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
// must be replaced by the name that the library gives to the loopback interface of this
// machine. The caller owns the map.
func (f *Flow) EnvMap(ctx context.Context, service string) map[string]string {
	f.t.Helper()
	if service == "" {
		f.t.Fatalf("flowtest: Env: the service has no name")
		return nil
	}
	endpoint, err := f.children.listen(ctx, service)
	if err != nil {
		f.t.Fatalf("flowtest: Env: %v", err)
		return nil
	}
	variables := contextVariables(ctx)
	maps.Copy(variables, exportVariables(endpoint, service))
	maps.Copy(variables, proxyVariables(os.Getenv))
	return variables
}

// exportVariables returns the variables for an SDK that exports to endpoint. Some only
// replace a value that a developer may have set for all programs.
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
func exportVariables(endpoint, service string) map[string]string {
	const protocol = "http/protobuf"
	return map[string]string{
		"OTEL_SDK_DISABLED":                  "false",
		"OTEL_SERVICE_NAME":                  service,
		"OTEL_TRACES_SAMPLER":                "always_on",
		"OTEL_TRACES_EXPORTER":               "otlp",
		"OTEL_METRICS_EXPORTER":              "none",
		"OTEL_LOGS_EXPORTER":                 "none",
		"OTEL_BSP_SCHEDULE_DELAY":            "100", // Milliseconds.
		"OTEL_EXPORTER_OTLP_ENDPOINT":        endpoint,
		"OTEL_EXPORTER_OTLP_PROTOCOL":        protocol,
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": endpoint + "/v1/traces",
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": protocol,
	}
}

// proxyVariables returns the variables that keep a process from sending its spans to the
// proxy that this one is told to use, as exporters in Python would.
func proxyVariables(environ func(name string) string) map[string]string {
	variables := make(map[string]string)
	for _, proxy := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} {
		if environ(proxy) != "" {
			for _, name := range []string{"NO_PROXY", "no_proxy"} {
				variables[name] = strings.TrimPrefix(environ(name)+",127.0.0.1", ",")
			}
		}
	}
	return variables
}

// contextVariables returns the variables that hold the context of ctx. Those that an
// older context may have set are empty.
func contextVariables(ctx context.Context) map[string]string {
	opts := []propagation.Option{propagation.WithPolicy(propagation.Replace)}
	if !trace.SpanContextFromContext(ctx).IsValid() {
		opts = append(opts, propagation.WithoutJournal()) // As meant: the process starts a trace.
	}
	fields := propagation.Encode(ctx, opts...)
	variables := make(map[string]string, fields.Len())
	for _, key := range fields.Cleared() {
		variables[envname.Normalize(key)] = ""
	}
	for key, value := range fields.All() {
		if !strings.ContainsRune(value, 0) {
			variables[envname.Normalize(key)] = value
		}
	}
	return variables
}
