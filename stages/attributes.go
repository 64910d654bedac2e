// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"slices"

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
// zero are left out, and so is what is empty.
func endAttributes(result Result, cause string) []attribute.KeyValue {
	var room [9]attribute.KeyValue // Most runs need few of these: only those go to the heap.
	attributes := append(room[:0], outcomeKey.String(result.Outcome.String()))
	if result.ErrorType != "" {
		attributes = append(attributes, errorTypeKey.String(result.ErrorType))
	}
	if cause != "" {
		attributes = append(attributes, causeKey.String(cause))
	}
	attributes = appendCount(attributes, rowsReadKey, result.Read)
	attributes = appendCount(attributes, rowsWrittenKey, result.Wrote)
	attributes = appendCount(attributes, rowsRejectedKey, result.Rejected)
	attributes = appendCount(attributes, bytesInKey, result.BytesIn)
	attributes = appendCount(attributes, bytesOutKey, result.BytesOut)
	attributes = appendCount(attributes, retriesKey, result.Retries)
	return slices.Clone(attributes)
}

func appendCount(attributes []attribute.KeyValue, key attribute.Key, n int64) []attribute.KeyValue {
	if n == 0 {
		return attributes
	}
	return append(attributes, key.Int64(n))
}
