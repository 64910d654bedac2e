// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// refusal is why a request is not accepted.
type refusal struct {
	code   int // Of HTTP,
	status int // and of gRPC.
	reason string
}

// The codes of gRPC.
// https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
const (
	grpcOK                = 0
	grpcInvalidArgument   = 3
	grpcDeadlineExceeded  = 4
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
)

// Error implements error.
func (r *refusal) Error() string { return r.reason }

// refuse returns the answer to an export that ended with err, after it has been told
// to Config.Refused. It returns nil if err is nil.
func (h *handler) refuse(err error) *refusal {
	if err == nil {
		return nil
	}
	refused := h.refusalOf(err)
	h.Refused(refused.reason)
	return refused
}

func (h *handler) refusalOf(err error) *refusal {
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, ErrBusy):
		return &refusal{http.StatusServiceUnavailable, grpcUnavailable, ErrBusy.Error()}
	case errors.Is(err, errTooLarge):
		return &refusal{
			http.StatusRequestEntityTooLarge, grpcResourceExhausted,
			fmt.Sprintf("an export has more than %d bytes; export fewer spans at a time", h.MaxBytes),
		}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &refusal{http.StatusRequestTimeout, grpcDeadlineExceeded, "an export took too long to arrive"}
	default:
		return &refusal{http.StatusBadRequest, grpcInvalidArgument, "an export is no valid OTLP message: " + clip(err.Error())}
	}
}

// json returns the error as a google.rpc.Status, which the specification asks for.
// https://opentelemetry.io/docs/specs/otlp/#failures
func (r *refusal) json() []byte {
	text, err := json.Marshal(struct {
		Message string `json:"message"`
	}{r.reason})
	if err != nil {
		return []byte("{}") // It has no value that cannot be marshaled.
	}
	return text
}

// protobuf returns the error as a google.rpc.Status.
func (r *refusal) protobuf() []byte {
	const message = 2<<3 | 2 // The second field, whose length precedes it.
	return append(binary.AppendUvarint([]byte{message}, uint64(len(r.reason))), r.reason...)
}
