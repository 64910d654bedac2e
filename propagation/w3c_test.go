// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

const (
	w3cTraceID = "12345678901234567890123456789012"
	w3cValid   = "00-12345678901234567890123456789012-1234567890123456-01"
	w3cParent  = "traceparent: 00-12345678901234567890123456789012-1234567890123456-00\r\n"
)

// TestW3CTraceparent has the cases of the test suite of the recommendation, by
// the names they have there, as HTTP headers.
// https://github.com/w3c/trace-context/blob/main/test/test.py
func TestW3CTraceparent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		header string
		valid  bool
	}{
		{"both_traceparent_and_tracestate_missing", "", false},
		{"traceparent_included_tracestate_missing", "traceparent: " + w3cValid, true},
		{"traceparent_duplicated", "traceparent: 00-12345678901234567890123456789011-1234567890123456-01\r\ntraceparent: " + w3cValid, false},
		{"traceparent_header_name", "trace-parent: " + w3cValid, false},
		{"traceparent_header_name", "trace.parent: " + w3cValid, false},
		{"traceparent_header_name_valid_casing", "TraceParent: " + w3cValid, true},
		{"traceparent_header_name_valid_casing", "TrAcEpArEnT: " + w3cValid, true},
		{"traceparent_header_name_valid_casing", "TRACEPARENT: " + w3cValid, true},
		{"traceparent_version_0x00", "traceparent: " + w3cValid + ".", false},
		{"traceparent_version_0x00", "traceparent: " + w3cValid + "-what-the-future-will-be-like", false},
		{"traceparent_version_0xcc", "traceparent: cc" + w3cValid[2:], true},
		{"traceparent_version_0xcc", "traceparent: cc" + w3cValid[2:] + "-what-the-future-will-be-like", true},
		{"traceparent_version_0xcc", "traceparent: cc" + w3cValid[2:] + ".what-the-future-will-be-like", false},
		{"traceparent_version_0xff", "traceparent: ff" + w3cValid[2:], false},
		{"traceparent_version_illegal_characters", "traceparent: .0" + w3cValid[2:], false},
		{"traceparent_version_illegal_characters", "traceparent: 0." + w3cValid[2:], false},
		{"traceparent_version_too_long", "traceparent: 000" + w3cValid[2:], false},
		{"traceparent_version_too_long", "traceparent: 0000" + w3cValid[2:], false},
		{"traceparent_version_too_short", "traceparent: 0" + w3cValid[2:], false},
		{"traceparent_trace_id_all_zero", "traceparent: 00-00000000000000000000000000000000-1234567890123456-01", false},
		{"traceparent_trace_id_illegal_characters", "traceparent: 00-.2345678901234567890123456789012-1234567890123456-01", false},
		{"traceparent_trace_id_illegal_characters", "traceparent: 00-1234567890123456789012345678901.-1234567890123456-01", false},
		{"traceparent_trace_id_too_long", "traceparent: 00-123456789012345678901234567890123-1234567890123456-01", false},
		{"traceparent_trace_id_too_short", "traceparent: 00-1234567890123456789012345678901-1234567890123456-01", false},
		{"traceparent_parent_id_all_zero", "traceparent: 00-12345678901234567890123456789012-0000000000000000-01", false},
		{"traceparent_parent_id_illegal_characters", "traceparent: 00-12345678901234567890123456789012-.234567890123456-01", false},
		{"traceparent_parent_id_illegal_characters", "traceparent: 00-12345678901234567890123456789012-123456789012345.-01", false},
		{"traceparent_parent_id_too_long", "traceparent: 00-12345678901234567890123456789012-12345678901234567-01", false},
		{"traceparent_parent_id_too_short", "traceparent: 00-12345678901234567890123456789012-123456789012345-01", false},
		{"traceparent_trace_flags_illegal_characters", "traceparent: 00-12345678901234567890123456789012-1234567890123456-.0", false},
		{"traceparent_trace_flags_illegal_characters", "traceparent: 00-12345678901234567890123456789012-1234567890123456-0.", false},
		{"traceparent_trace_flags_too_long", "traceparent: 00-12345678901234567890123456789012-1234567890123456-001", false},
		{"traceparent_trace_flags_too_short", "traceparent: 00-12345678901234567890123456789012-1234567890123456-1", false},
		{"traceparent_ows_handling", "traceparent:  " + w3cValid, true},
		{"traceparent_ows_handling", "traceparent: \t" + w3cValid, true},
		{"traceparent_ows_handling", "traceparent: " + w3cValid + " ", true},
		{"traceparent_ows_handling", "traceparent: " + w3cValid + "\t", true},
		{"traceparent_ows_handling", "traceparent: \t " + w3cValid + " \t", true},
		{"multiple_requests_with_illegal_traceparent", "traceparent: 00-00000000000000000000000000000000-1234567890123456-01", false},

		// What the suite does not ask, and the recommendation says.
		{"upper case", "traceparent: 00-1234567890ABCDEF7890123456789012-1234567890123456-01", false},
		{"upper-case version", "traceparent: CC" + w3cValid[2:], false},
		{"random flag", "traceparent: 00-12345678901234567890123456789012-1234567890123456-03", true},
		{"reserved flag of version 00", "traceparent: 00-12345678901234567890123456789012-1234567890123456-04", false},
		{"reserved flag of a later version", "traceparent: 01-12345678901234567890123456789012-1234567890123456-ff", true},
		{"trailing dash of version 00", "traceparent: " + w3cValid + "-", false},
		{"trailing dash of a later version", "traceparent: cc" + w3cValid[2:] + "-", true},
		{"missing parts", "traceparent: 00-12345678901234567890123456789012", false},
		{"other delimiters", "traceparent: 00_12345678901234567890123456789012_1234567890123456_01", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			carrier := httpHeader(t, tt.header)
			remote := propagation.ReadTextMap(carrier, defaults)
			if valid := remote.Err() == nil; valid != tt.valid {
				t.Errorf("%q is taken: %t (%v), want %t", tt.header, valid, remote.Err(), tt.valid)
			}
			ctx := t.Context()
			extracted := propagation.ExtractTextMap(ctx, carrier, defaults)
			if !tt.valid {
				if extracted != ctx {
					t.Errorf("%q changed the context", tt.header)
				}
				return
			}
			sc := trace.SpanContextFromContext(extracted)
			if sc.TraceID().String() != w3cTraceID || sc.SpanID().String() != "1234567890123456" || !sc.IsRemote() {
				t.Errorf("%q is read as trace %s span %s", tt.header, sc.TraceID(), sc.SpanID())
			}
			if sc.TraceFlags()&^(trace.FlagsSampled|trace.FlagsRandom) != 0 || !sc.IsSampled() {
				t.Errorf("%q has the flags %s", tt.header, sc.TraceFlags())
			}
		})
	}
}

// TestW3CTracestate has the other cases of the test suite.
func TestW3CTracestate(t *testing.T) {
	t.Parallel()
	var letters, value strings.Builder
	for c := 'a'; c <= 'z'; c++ {
		letters.WriteRune(c)
	}
	for c := ' '; c <= '~'; c++ {
		if c != ',' && c != '=' {
			value.WriteRune(c)
		}
	}
	key := letters.String() + "0123456789_-*/"
	const line = "tracestate: "
	for _, tt := range []struct {
		name   string
		header string
		want   string
	}{
		{"tracestate_included_traceparent_included", line + "foo=1,bar=2", "foo=1,bar=2"},
		{"tracestate_header_name", "trace-state: foo=1", ""},
		{"tracestate_header_name", "trace.state: foo=1", ""},
		{"tracestate_header_name_valid_casing", "TraceState: foo=1", "foo=1"},
		{"tracestate_header_name_valid_casing", "TrAcEsTaTe: foo=1", "foo=1"},
		{"tracestate_header_name_valid_casing", "TRACESTATE: foo=1", "foo=1"},
		{"tracestate_empty_header", line, ""},
		{"tracestate_empty_header", line + "foo=1\r\n" + line, "foo=1"},
		{"tracestate_empty_header", line + "\r\n" + line + "foo=1", "foo=1"},
		{
			"tracestate_multiple_headers_different_keys", line + "foo=1,bar=2\r\n" + line + "rojo=1,congo=2\r\n" + line + "baz=3",
			"foo=1,bar=2,rojo=1,congo=2,baz=3",
		},
		{"tracestate_duplicated_keys", line + "foo=1,foo=1", ""},
		{"tracestate_duplicated_keys", line + "foo=1,foo=2", ""},
		{"tracestate_duplicated_keys", line + "foo=1\r\n" + line + "foo=1", ""},
		{"tracestate_duplicated_keys", line + "foo=1\r\n" + line + "foo=2", ""},
		{"tracestate_all_allowed_characters", line + key + "=" + value.String(), key + "=" + value.String()},
		{"tracestate_all_allowed_characters", line + key + "@a-z0-9_-*/=" + value.String(), key + "@a-z0-9_-*/=" + value.String()},
		{"tracestate_ows_handling", line + "foo=1 \t , \t bar=2, \t baz=3", "foo=1,bar=2,baz=3"},
		{"tracestate_ows_handling", line + "foo=1\t \t,\t \tbar=2,\t \tbaz=3", "foo=1,bar=2,baz=3"},
		{"tracestate_ows_handling", line + " foo=1", "foo=1"},
		{"tracestate_ows_handling", line + "\tfoo=1", "foo=1"},
		{"tracestate_ows_handling", line + "foo=1 ", "foo=1"},
		{"tracestate_ows_handling", line + "foo=1\t", "foo=1"},
		{"tracestate_ows_handling", line + "\t foo=1 \t", "foo=1"},
		{"tracestate_key_illegal_characters", line + "foo =1", ""},
		{"tracestate_key_illegal_characters", line + "FOO=1", ""},
		{"tracestate_key_illegal_characters", line + "foo.bar=1", ""},
		{"tracestate_key_illegal_vendor_format", line + "foo@=1,bar=2", ""},
		{"tracestate_key_illegal_vendor_format", line + "@foo=1,bar=2", ""},
		{"tracestate_key_illegal_vendor_format", line + "foo@@bar=1,bar=2", ""},
		{"tracestate_key_illegal_vendor_format", line + "foo@bar@baz=1,bar=2", ""},
		{
			"tracestate_member_count_limit", line + numbered(1, 10) + "\r\n" + line + numbered(11, 20) + "\r\n" + line + numbered(21, 32),
			numbered(1, 32),
		},
		{
			"tracestate_member_count_limit", line + numbered(1, 10) + "\r\n" + line + numbered(11, 20) + "\r\n" + line + numbered(21, 33),
			"",
		},
		{"tracestate_key_length_limit", line + "foo=1\r\n" + line + strings.Repeat("z", 256) + "=1", "foo=1," + strings.Repeat("z", 256) + "=1"},
		{"tracestate_key_length_limit", line + "foo=1\r\n" + line + strings.Repeat("z", 257) + "=1", ""},
		{
			"tracestate_key_length_limit", line + "foo=1\r\n" + line + strings.Repeat("t", 241) + "@" + strings.Repeat("v", 14) + "=1",
			"foo=1," + strings.Repeat("t", 241) + "@" + strings.Repeat("v", 14) + "=1",
		},
		{"tracestate_key_length_limit", line + "foo=1\r\n" + line + strings.Repeat("t", 242) + "@v=1", ""},
		{"tracestate_key_length_limit", line + "foo=1\r\n" + line + "t@" + strings.Repeat("v", 15) + "=1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sc := propagation.ReadTextMap(httpHeader(t, w3cParent+tt.header), defaults).SpanContext()
			if sc.TraceID().String() != w3cTraceID {
				t.Errorf("%q made the traceparent invalid", tt.header)
			}
			if diff := cmp.Diff(tt.want, sc.TraceState().String()); diff != "" {
				t.Errorf("%q (-want +got):\n%s", tt.header, diff)
			}
		})
	}
	t.Run("tracestate_included_traceparent_missing", func(t *testing.T) {
		t.Parallel()
		ctx := t.Context()
		if propagation.ExtractTextMap(ctx, httpHeader(t, line+"foo=1,bar=2"), defaults) != ctx {
			t.Error("a tracestate alone changed the context")
		}
	})
}

func numbered(from, to int) string {
	var members []string
	for i := from; i <= to; i++ {
		members = append(members, fmt.Sprintf("bar%02d=%02d", i, i))
	}
	return strings.Join(members, ",")
}

// httpHeader returns the header of a request as net/http reads it.
func httpHeader(t *testing.T, header string) otelpropagation.HeaderCarrier {
	t.Helper()
	if header != "" {
		header += "\r\n"
	}
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET / HTTP/1.1\r\nHost: x\r\n" + header + "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return otelpropagation.HeaderCarrier(request.Header)
}

// FuzzTraceparent compares with OpenTelemetry's propagator, which takes the
// same but for a version 00 with a dash at its end.
func FuzzTraceparent(f *testing.F) {
	for _, seed := range []string{
		"", w3cValid, traceparentText, otherText, w3cValid + "-", "cc" + w3cValid[2:] + "-x", "cc" + w3cValid[2:] + "x", "ff" + w3cValid[2:],
		strings.ToUpper(traceparentText), "01" + w3cValid[2:53] + "ff", "00" + w3cValid[2:53] + "04", strings.ReplaceAll(w3cValid, "-", "_"),
		"00-00000000000000000000000000000000-1234567890123456-01", "00-12345678901234567890123456789012-0000000000000000-01",
		w3cValid + "\x00", "\xff" + w3cValid[1:], w3cValid + "," + w3cValid,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		ctx := t.Context()
		want := trace.SpanContextFromContext(otelpropagation.TraceContext{}.Extract(ctx, otelpropagation.MapCarrier{"traceparent": value}))
		if len(value) == 56 && strings.HasPrefix(value, "00-") && strings.HasSuffix(value, "-") {
			want = trace.SpanContext{} // The one difference.
		}
		byText := propagation.Read(text{"traceparent": value}, textAccessor{}, defaults)
		byBytes := propagation.Read(&list{{"traceparent", []byte(value)}}, listAccessor{}, defaults)
		for name, remote := range map[string]propagation.Remote{"text": byText, "bytes": byBytes} {
			if got := remote.SpanContext(); !got.Equal(want) {
				t.Errorf("%s: %q is read as %v %v %v, want %v %v %v", name, value,
					got.TraceID(), got.SpanID(), got.TraceFlags(), want.TraceID(), want.SpanID(), want.TraceFlags())
			}
			if (remote.Err() == nil) != want.IsValid() {
				t.Errorf("%s: the error for %q is %v", name, value, remote.Err())
			}
		}
		extracted := propagation.Extract(ctx, text{"traceparent": value}, textAccessor{}, defaults)
		if (extracted == ctx) == want.IsValid() {
			t.Errorf("%q: the context is the same: %t", value, extracted == ctx)
		}
		if !want.IsValid() || !strings.HasPrefix(value, "00") {
			return
		}
		if again := propagation.Map(extracted, defaults)["traceparent"]; again != value {
			t.Errorf("%q became %q", value, again)
		}
	})
}
