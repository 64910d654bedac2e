// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/semconv"
)

// The attributes of a span. OpenTelemetry has no stable conventions for data
// pipelines yet; when it has, the names change here.
const (
	pipelineKey     = attribute.Key("etl.pipeline")
	stageKey        = attribute.Key("etl.stage")
	sourceKey       = attribute.Key("etl.source")
	outcomeKey      = attribute.Key("etl.outcome")
	causeKey        = attribute.Key("etl.cause")
	rowsReadKey     = attribute.Key("etl.rows.read")
	rowsWrittenKey  = attribute.Key("etl.rows.written")
	rowsRejectedKey = attribute.Key("etl.rows.rejected")
	bytesInKey      = attribute.Key("etl.bytes.in")
	bytesOutKey     = attribute.Key("etl.bytes.out")
	retriesKey      = attribute.Key("etl.retries")
	errorTypeKey    = semconv.ErrorTypeKey

	// parameterPrefix comes before the key of a [WithParameter].
	parameterPrefix = "etl.parameter."
)

// endAttributes returns what is known of a stage when it has ended. Counts of
// zero are left out, and so is the error type when there is none.
func endAttributes(result Result, cause string) []attribute.KeyValue {
	attributes := make([]attribute.KeyValue, 0, 9)
	attributes = append(attributes, outcomeKey.String(result.Outcome.String()))
	if result.ErrorType != "" {
		attributes = append(attributes, errorTypeKey.String(result.ErrorType))
	}
	if cause != "" {
		attributes = append(attributes, causeKey.String(cause))
	}
	for _, count := range [...]struct {
		key attribute.Key
		n   int64
	}{
		{rowsReadKey, result.Read},
		{rowsWrittenKey, result.Wrote},
		{rowsRejectedKey, result.Rejected},
		{bytesInKey, result.BytesIn},
		{bytesOutKey, result.BytesOut},
		{retriesKey, result.Retries},
	} {
		if count.n != 0 {
			attributes = append(attributes, count.key.Int64(count.n))
		}
	}
	return attributes
}
