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

// TestRead_W3CTraceparent has the cases of the test suite of the recommendation, by
// the names they have there, as HTTP headers.
// https://github.com/w3c/trace-context/blob/main/test/test.py
func TestRead_W3CTraceparent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		header string
		valid  bool
	}{
		{name: "both_traceparent_and_tracestate_missing", header: "", valid: false},
		{name: "traceparent_included_tracestate_missing", header: "traceparent: " + w3cValid, valid: true},
		{name: "traceparent_duplicated", header: "traceparent: 00-12345678901234567890123456789011-1234567890123456-01\r\ntraceparent: " + w3cValid, valid: false},
		{name: "traceparent_header_name", header: "trace-parent: " + w3cValid, valid: false},
		{name: "traceparent_header_name", header: "trace.parent: " + w3cValid, valid: false},
		{name: "traceparent_header_name_valid_casing", header: "TraceParent: " + w3cValid, valid: true},
		{name: "traceparent_header_name_valid_casing", header: "TrAcEpArEnT: " + w3cValid, valid: true},
		{name: "traceparent_header_name_valid_casing", header: "TRACEPARENT: " + w3cValid, valid: true},
		{name: "traceparent_version_0x00", header: "traceparent: " + w3cValid + ".", valid: false},
		{name: "traceparent_version_0x00", header: "traceparent: " + w3cValid + "-what-the-future-will-be-like", valid: false},
		{name: "traceparent_version_0xcc", header: "traceparent: cc" + w3cValid[2:], valid: true},
		{name: "traceparent_version_0xcc", header: "traceparent: cc" + w3cValid[2:] + "-what-the-future-will-be-like", valid: true},
		{name: "traceparent_version_0xcc", header: "traceparent: cc" + w3cValid[2:] + ".what-the-future-will-be-like", valid: false},
		{name: "traceparent_version_0xff", header: "traceparent: ff" + w3cValid[2:], valid: false},
		{name: "traceparent_version_illegal_characters", header: "traceparent: .0" + w3cValid[2:], valid: false},
		{name: "traceparent_version_illegal_characters", header: "traceparent: 0." + w3cValid[2:], valid: false},
		{name: "traceparent_version_too_long", header: "traceparent: 000" + w3cValid[2:], valid: false},
		{name: "traceparent_version_too_long", header: "traceparent: 0000" + w3cValid[2:], valid: false},
		{name: "traceparent_version_too_short", header: "traceparent: 0" + w3cValid[2:], valid: false},
		{name: "traceparent_trace_id_all_zero", header: "traceparent: 00-00000000000000000000000000000000-1234567890123456-01", valid: false},
		{name: "traceparent_trace_id_illegal_characters", header: "traceparent: 00-.2345678901234567890123456789012-1234567890123456-01", valid: false},
		{name: "traceparent_trace_id_illegal_characters", header: "traceparent: 00-1234567890123456789012345678901.-1234567890123456-01", valid: false},
		{name: "traceparent_trace_id_too_long", header: "traceparent: 00-123456789012345678901234567890123-1234567890123456-01", valid: false},
		{name: "traceparent_trace_id_too_short", header: "traceparent: 00-1234567890123456789012345678901-1234567890123456-01", valid: false},
		{name: "traceparent_parent_id_all_zero", header: "traceparent: 00-12345678901234567890123456789012-0000000000000000-01", valid: false},
		{name: "traceparent_parent_id_illegal_characters", header: "traceparent: 00-12345678901234567890123456789012-.234567890123456-01", valid: false},
		{name: "traceparent_parent_id_illegal_characters", header: "traceparent: 00-12345678901234567890123456789012-123456789012345.-01", valid: false},
		{name: "traceparent_parent_id_too_long", header: "traceparent: 00-12345678901234567890123456789012-12345678901234567-01", valid: false},
		{name: "traceparent_parent_id_too_short", header: "traceparent: 00-12345678901234567890123456789012-123456789012345-01", valid: false},
		{name: "traceparent_trace_flags_illegal_characters", header: "traceparent: 00-12345678901234567890123456789012-1234567890123456-.0", valid: false},
		{name: "traceparent_trace_flags_illegal_characters", header: "traceparent: 00-12345678901234567890123456789012-1234567890123456-0.", valid: false},
		{name: "traceparent_trace_flags_too_long", header: "traceparent: 00-12345678901234567890123456789012-1234567890123456-001", valid: false},
		{name: "traceparent_trace_flags_too_short", header: "traceparent: 00-12345678901234567890123456789012-1234567890123456-1", valid: false},
		{name: "traceparent_ows_handling", header: "traceparent:  " + w3cValid, valid: true},
		{name: "traceparent_ows_handling", header: "traceparent: \t" + w3cValid, valid: true},
		{name: "traceparent_ows_handling", header: "traceparent: " + w3cValid + " ", valid: true},
		{name: "traceparent_ows_handling", header: "traceparent: " + w3cValid + "\t", valid: true},
		{name: "traceparent_ows_handling", header: "traceparent: \t " + w3cValid + " \t", valid: true},
		{name: "multiple_requests_with_illegal_traceparent", header: "traceparent: 00-00000000000000000000000000000000-1234567890123456-01", valid: false},

		// What the suite does not ask, and the recommendation says.
		{name: "upper case", header: "traceparent: 00-1234567890ABCDEF7890123456789012-1234567890123456-01", valid: false},
		{name: "upper-case version", header: "traceparent: CC" + w3cValid[2:], valid: false},
		{name: "random flag", header: "traceparent: 00-12345678901234567890123456789012-1234567890123456-03", valid: true},
		{name: "reserved flag of version 00", header: "traceparent: 00-12345678901234567890123456789012-1234567890123456-04", valid: false},
		{name: "reserved flag of a later version", header: "traceparent: 01-12345678901234567890123456789012-1234567890123456-ff", valid: true},
		{name: "trailing dash of version 00", header: "traceparent: " + w3cValid + "-", valid: false},
		{name: "trailing dash of a later version", header: "traceparent: cc" + w3cValid[2:] + "-", valid: true},
		{name: "missing parts", header: "traceparent: 00-12345678901234567890123456789012", valid: false},
		{name: "other delimiters", header: "traceparent: 00_12345678901234567890123456789012_1234567890123456_01", valid: false},
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

// TestRead_W3CTracestate has the other cases of the test suite.
func TestRead_W3CTracestate(t *testing.T) {
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
		{name: "tracestate_included_traceparent_included", header: line + "foo=1,bar=2", want: "foo=1,bar=2"},
		{name: "tracestate_header_name", header: "trace-state: foo=1", want: ""},
		{name: "tracestate_header_name", header: "trace.state: foo=1", want: ""},
		{name: "tracestate_header_name_valid_casing", header: "TraceState: foo=1", want: "foo=1"},
		{name: "tracestate_header_name_valid_casing", header: "TrAcEsTaTe: foo=1", want: "foo=1"},
		{name: "tracestate_header_name_valid_casing", header: "TRACESTATE: foo=1", want: "foo=1"},
		{name: "tracestate_empty_header", header: line, want: ""},
		{name: "tracestate_empty_header", header: line + "foo=1\r\n" + line, want: "foo=1"},
		{name: "tracestate_empty_header", header: line + "\r\n" + line + "foo=1", want: "foo=1"},
		{
			name: "tracestate_multiple_headers_different_keys", header: line + "foo=1,bar=2\r\n" + line + "rojo=1,congo=2\r\n" + line + "baz=3",
			want: "foo=1,bar=2,rojo=1,congo=2,baz=3",
		},
		{name: "tracestate_duplicated_keys", header: line + "foo=1,foo=1", want: ""},
		{name: "tracestate_duplicated_keys", header: line + "foo=1,foo=2", want: ""},
		{name: "tracestate_duplicated_keys", header: line + "foo=1\r\n" + line + "foo=1", want: ""},
		{name: "tracestate_duplicated_keys", header: line + "foo=1\r\n" + line + "foo=2", want: ""},
		{name: "tracestate_all_allowed_characters", header: line + key + "=" + value.String(), want: key + "=" + value.String()},
		{name: "tracestate_all_allowed_characters", header: line + key + "@a-z0-9_-*/=" + value.String(), want: key + "@a-z0-9_-*/=" + value.String()},
		{name: "tracestate_ows_handling", header: line + "foo=1 \t , \t bar=2, \t baz=3", want: "foo=1,bar=2,baz=3"},
		{name: "tracestate_ows_handling", header: line + "foo=1\t \t,\t \tbar=2,\t \tbaz=3", want: "foo=1,bar=2,baz=3"},
		{name: "tracestate_ows_handling", header: line + " foo=1", want: "foo=1"},
		{name: "tracestate_ows_handling", header: line + "\tfoo=1", want: "foo=1"},
		{name: "tracestate_ows_handling", header: line + "foo=1 ", want: "foo=1"},
		{name: "tracestate_ows_handling", header: line + "foo=1\t", want: "foo=1"},
		{name: "tracestate_ows_handling", header: line + "\t foo=1 \t", want: "foo=1"},
		{name: "tracestate_key_illegal_characters", header: line + "foo =1", want: ""},
		{name: "tracestate_key_illegal_characters", header: line + "FOO=1", want: ""},
		{name: "tracestate_key_illegal_characters", header: line + "foo.bar=1", want: ""},
		{name: "tracestate_key_illegal_vendor_format", header: line + "foo@=1,bar=2", want: ""},
		{name: "tracestate_key_illegal_vendor_format", header: line + "@foo=1,bar=2", want: ""},
		{name: "tracestate_key_illegal_vendor_format", header: line + "foo@@bar=1,bar=2", want: ""},
		{name: "tracestate_key_illegal_vendor_format", header: line + "foo@bar@baz=1,bar=2", want: ""},
		{
			name: "tracestate_member_count_limit", header: line + numbered(1, 10) + "\r\n" + line + numbered(11, 20) + "\r\n" + line + numbered(21, 32),
			want: numbered(1, 32),
		},
		{
			name: "tracestate_member_count_limit", header: line + numbered(1, 10) + "\r\n" + line + numbered(11, 20) + "\r\n" + line + numbered(21, 33),
			want: "",
		},
		{name: "tracestate_key_length_limit", header: line + "foo=1\r\n" + line + strings.Repeat("z", 256) + "=1", want: "foo=1," + strings.Repeat("z", 256) + "=1"},
		{name: "tracestate_key_length_limit", header: line + "foo=1\r\n" + line + strings.Repeat("z", 257) + "=1", want: ""},
		{
			name: "tracestate_key_length_limit", header: line + "foo=1\r\n" + line + strings.Repeat("t", 241) + "@" + strings.Repeat("v", 14) + "=1",
			want: "foo=1," + strings.Repeat("t", 241) + "@" + strings.Repeat("v", 14) + "=1",
		},
		{name: "tracestate_key_length_limit", header: line + "foo=1\r\n" + line + strings.Repeat("t", 242) + "@v=1", want: ""},
		{name: "tracestate_key_length_limit", header: line + "foo=1\r\n" + line + "t@" + strings.Repeat("v", 15) + "=1", want: ""},
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

// FuzzRead_Traceparent compares with OpenTelemetry's propagator, which takes the
// same but for a version 00 with a dash at its end.
func FuzzRead_Traceparent(f *testing.F) {
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
