// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"

	"github.com/waybill-go/waybill/cmd/waybill/internal/otlp"
	"github.com/waybill-go/waybill/internal/safe"
)

// exports reports whether the variables of OpenTelemetry name an endpoint for spans.
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/
func exports(getenv func(string) string) bool {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	if names := getenv("OTEL_TRACES_EXPORTER"); names != "" && !slices.ContainsFunc(strings.Split(names, ","), isOTLP) {
		return false
	}
	return getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != ""
}

// isOTLP reports whether name, of a list of exporters, is otlp.
func isOTLP(name string) bool { return strings.TrimSpace(name) == "otlp" }

// isSampled reports whether there is a span to export.
func (j *jobSpan) isSampled() bool { return j != nil && len(j.recorded.spans) > 0 }

// export sends the span. It calls warn if it ignores a variable.
func (j *jobSpan) export(ctx context.Context, getenv func(string) string, warn func(error)) error {
	client, err := otlp.New(getenv, warn)
	if err != nil {
		return fmt.Errorf("the span was not sent: %w", err)
	}
	exporter := otlptrace.NewUnstarted(client)
	if err := exporter.ExportSpans(ctx, j.recorded.spans); err != nil {
		return fmt.Errorf("the span was not sent: %w", err)
	}
	return nil
}

// flush runs tasks at the same time, until the last has ended or timeout is over,
// whatever they do.
func flush(ctx context.Context, timeout time.Duration, tasks ...func(context.Context) error) error {
	late := fmt.Errorf("not all was sent within %v", timeout)
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), timeout, late)
	defer cancel()
	return safe.Together(ctx, tasks...)
}
