// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/observe"
)

func TestErrorType(t *testing.T) {
	t.Parallel()
	var typedNil *net.OpError
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{name: "nil", err: nil, want: ""},
		{name: "canceled", err: fmt.Errorf("read: %w", context.Canceled), want: "canceled"},
		{name: "deadline", err: context.DeadlineExceeded, want: "timeout"},
		{name: "connection deadline", err: &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, want: "timeout"},
		{name: "Timeout method", err: timeoutError{}, want: "timeout"},
		{name: "EOF", err: fmt.Errorf("body: %w", io.EOF), want: "eof"},
		{name: "unexpected EOF", err: io.ErrUnexpectedEOF, want: "unexpected_eof"},
		{name: "closed", err: net.ErrClosed, want: "closed"},
		{name: "not exist", err: &fs.PathError{Op: "open", Path: "/secret", Err: fs.ErrNotExist}, want: "not_exist"},
		{name: "refused", err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, want: "connection_refused"},

		{name: "method", err: typedError("bad_row"), want: "bad_row"},
		{name: "method, wrapped", err: fmt.Errorf("row 7: %w", typedError("bad_row")), want: "bad_row"},
		{name: "method returns nothing", err: typedError(""), want: "github.com/waybill-go/waybill/observe_test.typedError"},
		{name: "method returns too much", err: typedError(strings.Repeat("x", 129)), want: "github.com/waybill-go/waybill/observe_test.typedError"},
		{name: "method returns bytes", err: typedError("\xff"), want: "github.com/waybill-go/waybill/observe_test.typedError"},
		{name: "method panics", err: hostileError{}, want: "github.com/waybill-go/waybill/observe_test.hostileError"},

		{name: "plain", err: errors.New("text"), want: "*errors.errorString"},
		{name: "plain, wrapped", err: fmt.Errorf("x: %w", errors.New("text")), want: "*errors.errorString"},
		{name: "joined", err: errors.Join(errors.New("text"), timeoutError{}), want: "timeout"},
		{name: "joined with a cancellation", err: errors.Join(context.Canceled, io.EOF), want: "eof"},
		{name: "joined with a cancellation, in text", err: fmt.Errorf("x: %w", errors.Join(&net.AddrError{}, context.Canceled)), want: "*net.AddrError"},
		{name: "joined cancellations", err: errors.Join(context.Canceled, context.Canceled), want: "canceled"},
		{name: "pointer", err: &net.AddrError{}, want: "*net.AddrError"},
		{name: "typed nil", err: typedNil, want: "*net.OpError"},

		{name: "Kafka code", err: kafka.MessageSizeTooLarge, want: "MESSAGE_TOO_LARGE"},
		{name: "Kafka timeout of the broker", err: kafka.RequestTimedOut, want: "REQUEST_TIMED_OUT"},
		{name: "Kafka errors of messages", err: kafka.WriteErrors{nil, kafka.NotLeaderForPartition}, want: "NOT_LEADER_OR_FOLLOWER"},
		{name: "Kafka errors of messages, wrapped", err: fmt.Errorf("send: %w", kafka.WriteErrors{io.EOF}), want: "eof"},
		{name: "Kafka errors of messages, none", err: kafka.WriteErrors{nil}, want: "github.com/segmentio/kafka-go.WriteErrors"},
		{name: "gRPC", err: fmt.Errorf("call: %w", statusError(14)), want: "UNAVAILABLE"},
		{name: "gRPC canceled", err: statusError(1), want: "canceled"},
		{name: "gRPC deadline", err: statusError(4), want: "timeout"},
		{name: "gRPC code that does not exist", err: statusError(99), want: "github.com/waybill-go/waybill/observe_test.statusError"},

		{name: "unwraps to itself", err: newLoop(), want: "*observe_test.loopError"},
		{name: "very large tree", err: newTree(26), want: "*errors.errorString"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := observe.ErrorType(test.err); got != test.want {
				t.Errorf("ErrorType(%v) = %q, want %q", test.name, got, test.want)
			}
		})
	}
}

func TestKafkaErrorName(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{
		-2: "_OTHER", -1: "UNKNOWN_SERVER_ERROR", 0: "", 2: "CORRUPT_MESSAGE", 3: "UNKNOWN_TOPIC_OR_PARTITION", 6: "NOT_LEADER_OR_FOLLOWER",
		10: "MESSAGE_TOO_LARGE", 14: "COORDINATOR_LOAD_IN_PROGRESS", 17: "INVALID_TOPIC_EXCEPTION", 36: "TOPIC_ALREADY_EXISTS",
		58: "SASL_AUTHENTICATION_FAILED", 89: "THROTTLING_QUOTA_EXCEEDED", 100: "UNKNOWN_TOPIC_ID", 119: "INVALID_REGISTRATION",
		133: "SHARE_SESSION_LIMIT_REACHED", 134: "_OTHER", 1 << 40: "_OTHER",
	} {
		if got := observe.KafkaErrorName(code); got != want {
			t.Errorf("KafkaErrorName(%d) = %q, want %q", code, got, want)
		}
	}
	// Each code that kafka-go knows has a name of its own.
	names := map[string]int{}
	for code := -1; code < 120; code++ {
		if code == 0 {
			continue
		}
		name := observe.ErrorType(kafka.Error(code))
		if earlier, ok := names[name]; ok || name == "" || name == observe.ErrorTypeOther {
			t.Errorf("code %d is named %q, like code %d", code, name, earlier)
		}
		names[name] = code
	}
}

func FuzzErrorType(f *testing.F) {
	f.Add("bad_row", 3)
	f.Add("", 0)
	f.Fuzz(func(t *testing.T, name string, depth int) {
		err := error(typedError(name))
		for range max(depth, 0) % 100 {
			err = fmt.Errorf("x: %w", err)
		}
		if got := observe.ErrorType(err); got == "" || len(got) > 128 {
			t.Errorf("ErrorType = %q of %d bytes", got, len(got))
		}
	})
}
