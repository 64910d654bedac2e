// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
	"github.com/waybill-go/waybill/internal/flow"
)

// savedSpans is how many spans a line of a saved file has at most.
const savedSpans = 1000

// Save writes the spans that are kept as OTLP JSON lines, one or more a flow, the oldest
// flow first.
func (s *Store) Save(w io.Writer) error {
	var flows [][]kept
	s.mu.Lock()
	for e := s.recent.Back(); e != nil; e = e.Prev() {
		if f, ok := e.Value.(*Flow); ok {
			flows = append(flows, slices.Clip(f.spans))
		}
	}
	s.mu.Unlock()
	out := bufio.NewWriterSize(w, 1<<16)
	for _, spans := range flows {
		for len(spans) > 0 {
			n := min(len(spans), savedSpans)
			if err := save(out, spans[:n]); err != nil {
				return err
			}
			spans = spans[n:]
		}
	}
	return out.Flush()
}

func save(out *bufio.Writer, spans []kept) error {
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(message(spans))
	if err != nil { // One of them cannot be decoded.
		if len(spans) == 1 {
			return nil // It is no span.
		}
		half := len(spans) / 2
		return errors.Join(save(out, spans[:half]), save(out, spans[half:]))
	}
	line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	if err != nil {
		return err
	}
	_, err = out.Write(append(line, '\n'))
	return err
}

// Loaded is what was read from a recording.
type Loaded struct {
	Spans   int
	Damaged int   // Lines or documents that could not be read.
	First   error // Why the first of them could not.
}

// String says what was read.
func (l Loaded) String() string {
	text := "Loaded " + flow.Plural(l.Spans, "span") + "."
	if l.Damaged > 0 {
		text += fmt.Sprintf(" %s could not be read: %v", flow.Plural(l.Damaged, "place"), l.First)
	}
	return text
}

// Load adds the spans of a recording in any format that package recording reads. What
// no flow is drawn from, such as the events of spans, is left out.
func (s *Store) Load(ctx context.Context, r io.Reader) (Loaded, error) {
	return s.load(ctx, &recording.Reader{Stdin: r}, recording.Stdin)
}

// LoadFile adds the spans of a file, or of stdin if its name is -, as Load does.
func (s *Store) LoadFile(ctx context.Context, stdin io.Reader, name string) (Loaded, error) {
	return s.load(ctx, &recording.Reader{Stdin: stdin}, name)
}

// Follow adds the spans of a file, and those that are written to it later, until ctx is
// done. The file need not exist yet.
func (s *Store) Follow(ctx context.Context, name string) (Loaded, error) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			loaded, err := s.load(ctx, &recording.Reader{Follow: true}, name)
			if ctx.Err() != nil {
				return loaded, nil // That is what has ended the reading.
			}
			return loaded, err
		}
		select {
		case <-ctx.Done():
			return Loaded{}, nil
		case <-tick.C:
		}
	}
}

// followEvery is how often a file is looked for that does not exist yet.
const followEvery = 200 * time.Millisecond

func (s *Store) load(ctx context.Context, reader *recording.Reader, name string) (Loaded, error) {
	r, err := reader.Each(ctx, s.addSpans, name)
	loaded := Loaded{Spans: r.Count, Damaged: r.DamagedCount}
	if len(r.Damaged) > 0 {
		loaded.First = r.Damaged[0].Err
	}
	return loaded, err
}

func (s *Store) addSpans(spans []flow.Span) error {
	message, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(encode(spans))
	if err != nil {
		return err
	}
	return s.AddProtobuf(message)
}

// encode returns spans as OTLP.
func encode(spans []flow.Span) ptrace.Traces {
	type place struct {
		process flow.Process
		scope   string
	}
	traces, lists := ptrace.NewTraces(), make(map[place]ptrace.SpanSlice)
	for i := range spans {
		s := &spans[i]
		at := place{flow.Process{Service: s.Service, Instance: s.Instance, Job: s.Job, Language: s.Language}, s.Scope}
		list, ok := lists[at]
		if !ok {
			resource := traces.ResourceSpans().AppendEmpty()
			for key, value := range at.process.Attributes() {
				resource.Resource().Attributes().PutStr(key, value)
			}
			scope := resource.ScopeSpans().AppendEmpty()
			scope.Scope().SetName(s.Scope)
			list = scope.Spans()
			lists[at] = list
		}
		encodeSpan(list.AppendEmpty(), s)
	}
	return traces
}

func encodeSpan(to ptrace.Span, s *flow.Span) {
	to.SetTraceID(pcommon.TraceID(s.ID.Trace))
	to.SetSpanID(pcommon.SpanID(s.ID.Span))
	to.SetParentSpanID(pcommon.SpanID(s.Parent.Span))
	to.SetFlags(flagsOf(s))
	to.SetName(s.Name)
	to.SetKind(ptrace.SpanKind(s.Kind)) //nolint:gosec // They have the same values.
	to.SetStartTimestamp(pcommon.NewTimestampFromTime(s.Start))
	if !s.End.IsZero() {
		to.SetEndTimestamp(pcommon.NewTimestampFromTime(s.End))
	}
	if s.Status == codes.Error {
		to.Status().SetCode(ptrace.StatusCodeError)
		to.Status().SetMessage(s.Message)
	}
	for _, id := range s.Links {
		link := to.Links().AppendEmpty()
		link.SetTraceID(pcommon.TraceID(id.Trace))
		link.SetSpanID(pcommon.SpanID(id.Span))
		if s.ParentUnsampled && id == s.Parent {
			link.SetFlags(hasRemoteFlag)
		}
	}
	for _, kv := range s.Attributes {
		switch value := kv.Value; value.Type() {
		case attribute.INT64:
			to.Attributes().PutInt(string(kv.Key), value.AsInt64())
		case attribute.BOOL:
			to.Attributes().PutBool(string(kv.Key), value.AsBool())
		case attribute.FLOAT64:
			to.Attributes().PutDouble(string(kv.Key), value.AsFloat64())
		default:
			to.Attributes().PutStr(string(kv.Key), value.String())
		}
	}
}

// flagsOf returns the flags of a span. Of one whose parent was not sampled it is known
// that it was sampled itself; of others nothing is known.
func flagsOf(s *flow.Span) uint32 {
	var flags uint32
	if s.ParentUnsampled {
		flags |= sampledFlag
	}
	if !s.RemoteUnknown {
		flags |= hasRemoteFlag
		if s.Remote {
			flags |= remoteFlag
		}
	}
	return flags
}
