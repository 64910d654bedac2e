// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"net/url"
	"os"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/internal/semconv"
)

// The variables that describe the resource of a process.
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
const (
	varServiceName        = "OTEL_SERVICE_NAME"
	varResourceAttributes = "OTEL_RESOURCE_ATTRIBUTES"
)

// WithResource adds the name of the service and of its deployment environment to each
// record, with the keys service and environment: see [WithResourceKeys]. They are the
// attributes service.name and deployment.environment.name of attributes, such as those
// of the resource of a tracer provider; other attributes are ignored.
//
// Without attributes they are read from the variables OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES when the handler is made. What is not known is not added.
// For the handler of go.opentelemetry.io/contrib/bridges/otelslog this is not needed:
// its records have the resource of their provider.
func WithResource(attributes ...attribute.KeyValue) LogOption {
	return logOptionFunc(func(c logConfig) logConfig {
		if len(attributes) == 0 {
			c.serviceName, c.environmentName = resourceFrom(os.Getenv)
			return c
		}
		c.serviceName, c.environmentName = "", ""
		for _, a := range attributes {
			switch a.Key {
			case semconv.ServiceNameKey:
				c.serviceName = resourceText(a.Value.String())
			case semconv.DeploymentEnvironmentKey:
				c.environmentName = resourceText(a.Value.String())
			}
		}
		return c
	})
}

// WithResourceKeys sets the keys of the service and the environment that
// [WithResource] adds. An attribute with an empty key is not added. The defaults are
// service and environment.
func WithResourceKeys(service, environment string) LogOption {
	return logOptionFunc(func(c logConfig) logConfig {
		c.service, c.environment = service, environment
		return c
	})
}

// resourceFrom returns the names of the service and the environment that the variables
// of a process have. What is malformed is ignored.
func resourceFrom(getenv func(string) string) (service, environment string) {
	for pair := range strings.SplitSeq(getenv(varResourceAttributes), ",") {
		key, escaped, ok := strings.Cut(pair, "=")
		if !ok {
			continue
		}
		value, err := url.PathUnescape(strings.TrimSpace(escaped))
		if err != nil {
			continue
		}
		switch strings.TrimSpace(key) {
		case string(semconv.ServiceNameKey):
			service = value
		case string(semconv.DeploymentEnvironmentKey):
			environment = value
		}
	}
	if name := strings.TrimSpace(getenv(varServiceName)); name != "" {
		service = name
	}
	return resourceText(service), resourceText(environment)
}

func resourceText(text string) string { return safe.Text(text, safe.MaxName) }
