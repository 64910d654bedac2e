// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"log/slog"
	"os"
	"reflect"

	"github.com/waybill-go/waybill/internal/kubejob"
	"github.com/waybill-go/waybill/internal/safe"
)

// LogOption configures [NewLogHandler]. If an option is given more than once, the
// last one wins. Nil options are ignored.
type LogOption interface {
	apply(logConfig) logConfig
}

// logConfig holds the keys of the attributes that a handler adds. An attribute
// with an empty key is not added.
type logConfig struct {
	traceID, spanID, traceFlags string
	pipeline, stage             string
	topic, partition, offset    string
	collection                  string
	job, service, environment   string

	jobName, serviceName, environmentName string // The values, which are the same for all records.

	grouped bool // Adds the attributes inside the open groups.
}

type logOptionFunc func(logConfig) logConfig

func (f logOptionFunc) apply(c logConfig) logConfig { return f(c) }

// WithTraceKeys sets the keys of the trace ID, the span ID and the trace flags.
// An attribute with an empty key is not added. The defaults are trace_id, span_id
// and trace_flags, as OpenTelemetry recommends for log formats other than its own:
// https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/
func WithTraceKeys(traceID, spanID, traceFlags string) LogOption {
	return logOptionFunc(func(c logConfig) logConfig {
		c.traceID, c.spanID, c.traceFlags = traceID, spanID, traceFlags
		return c
	})
}

// WithoutTraceKeys leaves the trace ID, the span ID and the trace flags out, for
// a handler that reads the span from the context itself. It is the default for
// the handler of go.opentelemetry.io/contrib/bridges/otelslog.
func WithoutTraceKeys() LogOption { return WithTraceKeys("", "", "") }

// WithStageKeys sets the keys of the names of the pipeline and the stage. An
// attribute with an empty key is not added. The defaults are pipeline and stage.
func WithStageKeys(pipeline, stage string) LogOption {
	return logOptionFunc(func(c logConfig) logConfig {
		c.pipeline, c.stage = pipeline, stage
		return c
	})
}

// WithMessageKeys sets the keys of the topic, the partition and the offset of the
// message that a context handles. An attribute with an empty key is not added. The
// defaults are topic, partition and offset.
func WithMessageKeys(topic, partition, offset string) LogOption {
	return logOptionFunc(func(c logConfig) logConfig {
		c.topic, c.partition, c.offset = topic, partition, offset
		return c
	})
}

// WithCollectionKey sets the key of the MongoDB collection whose document a context
// handles. If key is empty, the collection is not added. The default is collection.
func WithCollectionKey(key string) LogOption {
	return logOptionFunc(func(c logConfig) logConfig {
		c.collection = key
		return c
	})
}

// WithJob sets the name of the job that the process runs. If name is empty, it is the
// name of the Kubernetes Job that the process runs in, if that is known; this is the
// default.
func WithJob(name string) LogOption {
	return logOptionFunc(func(c logConfig) logConfig {
		c.jobName = safe.Text(name, safe.MaxName)
		if name == "" {
			c.jobName = kubernetesJob()
		}
		return c
	})
}

// kubernetesJob returns the name of the Kubernetes Job of this process, or nothing.
func kubernetesJob() string {
	job, _ := kubejob.Read(os.Getenv)
	return safe.Text(job.Name, safe.MaxName)
}

// WithJobKey sets the key of the name of the job. If key is empty, the name is not
// added. The default is job.
func WithJobKey(key string) LogOption {
	return logOptionFunc(func(c logConfig) logConfig {
		c.job = key
		return c
	})
}

// WithGroupedAttrs adds the attributes inside the innermost open group instead of
// at the top level, for a handler whose WithGroup does more than qualify keys: one
// that has a level or a file for each group, for example. The handler then receives
// each record through the handlers that its own WithGroup returned.
//
// Use it also for the handler of go.opentelemetry.io/contrib/bridges/otelslog if
// errors are logged within groups. That handler records an error as an exception
// only if it opened the group itself, and as text otherwise.
func WithGroupedAttrs() LogOption {
	return logOptionFunc(func(c logConfig) logConfig {
		c.grouped = true
		return c
	})
}

func newLogConfig(handler slog.Handler) logConfig {
	c := logConfig{
		traceID: "trace_id", spanID: "span_id", traceFlags: "trace_flags", pipeline: "pipeline", stage: "stage",
		topic: "topic", partition: "partition", offset: "offset", collection: "collection",
		job: "job", jobName: kubernetesJob(), service: "service", environment: "environment",
	}
	if readsSpan(handler) {
		c = WithoutTraceKeys().apply(c)
	}
	return c
}

// readsSpan reports whether handler reads the span from the context itself.
func readsSpan(handler slog.Handler) bool {
	t := reflect.TypeOf(handler)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == "go.opentelemetry.io/contrib/bridges/otelslog"
}
