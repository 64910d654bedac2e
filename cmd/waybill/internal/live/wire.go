// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unique"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waybill-go/waybill/internal/flow"
)

// The numbers of the fields that are read.
// https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
const (
	exportResourceSpans = 1

	resourceResource   = 1
	resourceScopeSpans = 2

	scopeScope = 1
	scopeSpans = 2

	resourceAttributes = 1
	scopeName          = 1

	spanTraceID    = 1
	spanSpanID     = 2
	spanParentID   = 4
	spanName       = 5
	spanKind       = 6
	spanStart      = 7
	spanEnd        = 8
	spanAttributes = 9
	spanLinks      = 13
	spanStatus     = 15
	spanFlags      = 16

	linkTraceID = 1
	linkSpanID  = 2

	statusCode = 3

	pairKey   = 1
	pairValue = 2

	valueString = 1
	valueBool   = 2
	valueInt    = 3
)

// The flags of a span that say whether it was sampled, and where its parent is.
// https://opentelemetry.io/docs/specs/otel/protocol/ (SpanFlags)
const (
	sampledFlag   = 0x1
	hasRemoteFlag = 0x100
	remoteFlag    = 0x200
)

// kept is a span as it was sent, and what it was sent in.
type kept struct {
	resource, scope unique.Handle[string] // All fields but the spans.
	data            string
}

// size returns about how much memory k takes.
func (k *kept) size() int { return len(k.data) + keptOverhead }

const keptOverhead = 56

// arrival is a span that arrives: what is kept of it, and what is read at once. Of its
// attributes, these are the ones that say what it exchanges and how it ended.
type arrival struct {
	kept

	span flow.Span
}

// maxLinks is how many links of a span join flows.
const maxLinks = 1024

var errWire = errors.New("no OTLP message of traces")

// fields calls each with the fields of a message: for a field with a length, content is
// set, and for any other one, number.
func fields(message []byte, each func(field protowire.Number, content []byte, number uint64) error) error {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return fmt.Errorf("%w: %w", errWire, protowire.ParseError(n))
		}
		message = message[n:]
		var content []byte
		var number uint64
		var small uint32
		switch kind {
		case protowire.BytesType:
			content, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(message)
		case protowire.Fixed64Type:
			number, n = protowire.ConsumeFixed64(message)
		case protowire.Fixed32Type:
			small, n = protowire.ConsumeFixed32(message)
			number = uint64(small)
		default:
			n = protowire.ConsumeFieldValue(field, kind, message)
		}
		if n < 0 {
			return fmt.Errorf("%w: %w", errWire, protowire.ParseError(n))
		}
		message = message[n:]
		if err := each(field, content, number); err != nil {
			return err
		}
	}
	return nil
}

// read returns the spans of an ExportTraceServiceRequest.
func read(message []byte) ([]arrival, error) {
	var arrivals []arrival
	err := fields(message, func(field protowire.Number, content []byte, _ uint64) error {
		if field != exportResourceSpans {
			return nil
		}
		more, err := readResource(content)
		arrivals = append(arrivals, more...)
		return err
	})
	return arrivals, err
}

// readResource returns the spans of a ResourceSpans.
func readResource(message []byte) ([]arrival, error) {
	header, scopes, err := split(message, resourceScopeSpans)
	if err != nil {
		return nil, err
	}
	resource := unique.Make(string(header))
	process, err := processOf(header)
	if err != nil {
		return nil, err
	}
	var arrivals []arrival
	for _, scope := range scopes {
		header, spans, err := split(scope, scopeSpans)
		if err != nil {
			return nil, err
		}
		handle := unique.Make(string(header))
		for _, data := range spans {
			a := arrival{kept: kept{resource: resource, scope: handle}}
			a.span.SetProcess(process)
			if err := readSpan(&a.span, data); err != nil {
				return nil, err
			}
			a.data = string(data)
			arrivals = append(arrivals, a)
		}
	}
	return arrivals, nil
}

// split returns the values of a repeated field, and the rest of the message.
func split(message []byte, repeated protowire.Number) (rest []byte, values [][]byte, err error) {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeField(message)
		if n < 0 {
			return nil, nil, fmt.Errorf("%w: %w", errWire, protowire.ParseError(n))
		}
		if field == repeated && kind == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(message)
			value, _ := protowire.ConsumeBytes(message[tag:])
			values = append(values, value)
		} else {
			rest = append(rest, message[:n]...)
		}
		message = message[n:]
	}
	return rest, values, nil
}

// processOf returns what the header of a ResourceSpans says of a process.
func processOf(header []byte) (flow.Process, error) {
	attributes := make(map[string]string)
	err := fields(header, func(field protowire.Number, resource []byte, _ uint64) error {
		if field != resourceResource {
			return nil
		}
		return fields(resource, func(field protowire.Number, pair []byte, _ uint64) error {
			if field != resourceAttributes {
				return nil
			}
			key, value, failed := readPair(pair)
			if failed != nil || !flow.NamesProcess(string(key)) {
				return failed
			}
			read, failed := readValue(value)
			attributes[string(key)] = unique.Make(read.String()).Value()
			return failed
		})
	})
	return flow.ProcessOf(func(key string) string { return attributes[key] }), err
}

// readSpan reads the fields of a span that join it and say how it ended.
func readSpan(s *flow.Span, data []byte) error {
	s.RemoteUnknown = true
	err := fields(data, func(field protowire.Number, content []byte, number uint64) error {
		switch field {
		case spanTraceID:
			copy(s.ID.Trace[:], content)
		case spanSpanID:
			copy(s.ID.Span[:], content)
		case spanParentID:
			copy(s.Parent.Span[:], content)
		case spanName:
			s.Name = unique.Make(string(content)).Value()
		case spanKind:
			s.Kind = trace.SpanKind(number) //nolint:gosec // An unknown kind is none of the known ones.
		case spanStart:
			s.Start = timeOf(number)
		case spanEnd:
			s.End = timeOf(number)
		case spanFlags:
			s.Remote, s.RemoteUnknown = number&remoteFlag != 0, number&hasRemoteFlag == 0
		case spanAttributes:
			return readAttribute(s, content)
		case spanLinks:
			return readLink(s, content)
		case spanStatus:
			return fields(content, func(field protowire.Number, _ []byte, number uint64) error {
				if field == statusCode && number == 2 {
					s.Status = codes.Error
				}
				return nil
			})
		}
		return nil
	})
	if s.Parent.Span.IsValid() {
		s.Parent.Trace = s.ID.Trace
	}
	return err
}

// timeOf returns the time of so many nanoseconds, or the zero time for zero.
func timeOf(nanoseconds uint64) time.Time {
	if nanoseconds == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(nanoseconds)) //nolint:gosec // A time after 2262 is damaged anyway.
}

func readLink(s *flow.Span, link []byte) error {
	var target flow.ID
	err := fields(link, func(field protowire.Number, content []byte, _ uint64) error {
		switch field {
		case linkTraceID:
			copy(target.Trace[:], content)
		case linkSpanID:
			copy(target.Span[:], content)
		}
		return nil
	})
	if target.Trace.IsValid() && len(s.Links) < maxLinks {
		s.Links = append(s.Links, target)
	}
	return err
}

// wanted are the beginnings of the keys of attributes that say what a span exchanges
// and how it ended.
var wanted = []string{"messaging.", "db.", "error.type", "flow.start", "waybill.extract", jobKey}

func readAttribute(s *flow.Span, pair []byte) error {
	key, value, err := readPair(pair)
	if err != nil || !isWanted(string(key)) {
		return err
	}
	read, err := readValue(value)
	s.Attributes = append(s.Attributes, attribute.KeyValue{Key: attribute.Key(unique.Make(string(key)).Value()), Value: read})
	return err
}

func isWanted(key string) bool {
	for _, prefix := range wanted {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// readPair returns the key and the value of a KeyValue.
func readPair(pair []byte) (key, value []byte, err error) {
	err = fields(pair, func(field protowire.Number, content []byte, _ uint64) error {
		switch field {
		case pairKey:
			key = content
		case pairValue:
			value = content
		}
		return nil
	})
	return key, value, err
}

// readValue returns an AnyValue. One that is no text, number or bool is empty.
func readValue(value []byte) (read attribute.Value, err error) {
	err = fields(value, func(field protowire.Number, content []byte, number uint64) error {
		switch field {
		case valueString:
			read = attribute.StringValue(string(content))
		case valueBool:
			read = attribute.BoolValue(number != 0)
		case valueInt:
			read = attribute.Int64Value(int64(number)) //nolint:gosec // It is the same bits.
		}
		return nil
	})
	return read, err
}

// message returns an ExportTraceServiceRequest of spans.
func message(spans []kept) []byte {
	type scopes struct {
		order []unique.Handle[string]
		spans map[unique.Handle[string]][]byte
	}
	var order []unique.Handle[string]
	resources := make(map[unique.Handle[string]]*scopes)
	for i := range spans {
		k := &spans[i]
		resource, ok := resources[k.resource]
		if !ok {
			resource = &scopes{spans: make(map[unique.Handle[string]][]byte)}
			resources[k.resource] = resource
			order = append(order, k.resource)
		}
		scope, ok := resource.spans[k.scope]
		if !ok {
			resource.order = append(resource.order, k.scope)
			scope = []byte(k.scope.Value())
		}
		scope = protowire.AppendTag(scope, scopeSpans, protowire.BytesType)
		resource.spans[k.scope] = protowire.AppendString(scope, k.data)
	}
	var out []byte
	for _, handle := range order {
		resource := []byte(handle.Value())
		for _, scope := range resources[handle].order {
			resource = protowire.AppendTag(resource, resourceScopeSpans, protowire.BytesType)
			resource = protowire.AppendBytes(resource, resources[handle].spans[scope])
		}
		out = protowire.AppendTag(out, exportResourceSpans, protowire.BytesType)
		out = protowire.AppendBytes(out, resource)
	}
	return out
}
