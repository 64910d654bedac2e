// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// OTLP/JSON is the JSON of protobuf, except that ids are written in hexadecimal and
// enumerations as numbers.
// https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding

// ReadJSON returns the spans of an ExportTraceServiceRequest in OTLP/JSON, as
// [ReadProtobuf] does.
func ReadJSON(message []byte) ([]Span, error) {
	text, err := convertIDs(message, func(id string) (string, error) {
		decoded, err := hex.DecodeString(id)
		return base64.StdEncoding.EncodeToString(decoded), err
	})
	if err != nil {
		return nil, err
	}
	data := &tracepb.TracesData{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, data); err != nil {
		return nil, err
	}
	return spansOf(data)
}

// marshalJSON returns data as one line of OTLP/JSON.
func marshalJSON(data *tracepb.TracesData) ([]byte, error) {
	text, err := protojson.MarshalOptions{UseEnumNumbers: true}.Marshal(data)
	if err != nil {
		return nil, err
	}
	return convertIDs(text, func(id string) (string, error) {
		decoded, err := base64.StdEncoding.DecodeString(id)
		return hex.EncodeToString(decoded), err
	})
}

// convertIDs returns the document text with the ids in it converted, in one line.
func convertIDs(text []byte, convert func(id string) (string, error)) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("there is something after the JSON document")
	}
	if err := convertIn(document, convert); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(document)
	return out.Bytes(), err
}

func convertIn(value any, convert func(id string) (string, error)) (err error) {
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			if err = convertIn(element, convert); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, field := range value {
			id, isText := field.(string)
			switch key {
			case "traceId", "spanId", "parentSpanId":
				if isText {
					value[key], err = convert(id)
				}
			default:
				err = convertIn(field, convert)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	return nil
}
