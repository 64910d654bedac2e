// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
)

// sealed embeds the interface under a name that leaves TracerProvider to the method
// of [Service].
type sealed = embedded.TracerProvider //nolint:unused // Embedded, it makes Service a TracerProvider.

// Service is a [trace.TracerProvider] with a service.name of its own, whose spans
// belong to a [Flow]. Service is safe for concurrent use.
type Service struct {
	sealed   //nolint:unused // It makes Service a TracerProvider.
	provider *sdktrace.TracerProvider
}

// Compile-time check that Service implements TracerProvider.
var _ trace.TracerProvider = (*Service)(nil)

func newService(name string, c config, r *recorder) *Service {
	return &Service{provider: sdktrace.NewTracerProvider(
		sdktrace.WithSampler(c.sampler),
		sdktrace.WithSpanProcessor(r),
		sdktrace.WithRawSpanLimits(defaultLimits()),
		// https://opentelemetry.io/docs/specs/semconv/resource/service/
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", name))),
	)}
}

// defaultLimits returns the limits of the SDK without those of the environment, so
// that a test does not depend on where it runs.
func defaultLimits() sdktrace.SpanLimits {
	return sdktrace.SpanLimits{
		AttributeValueLengthLimit:   sdktrace.DefaultAttributeValueLengthLimit,
		AttributeCountLimit:         sdktrace.DefaultAttributeCountLimit,
		EventCountLimit:             sdktrace.DefaultEventCountLimit,
		LinkCountLimit:              sdktrace.DefaultLinkCountLimit,
		AttributePerEventCountLimit: sdktrace.DefaultAttributePerEventCountLimit,
		AttributePerLinkCountLimit:  sdktrace.DefaultAttributePerLinkCountLimit,
	}
}

// Tracer returns the tracer of the instrumentation scope name.
func (s *Service) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	return s.provider.Tracer(name, opts...)
}

// TracerProvider returns the provider of the SDK that the service uses, for code
// that flushes it or shuts it down.
func (s *Service) TracerProvider() *sdktrace.TracerProvider { return s.provider }
