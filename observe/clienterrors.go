// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import "reflect"

// clientErrorName returns the name that the protocol of a client library gives
// to err alone, or the empty string. The libraries are known by the name of
// their Go types, so that none of them is imported.
func clientErrorName(err error) string {
	v := reflect.ValueOf(err)
	switch typeName(v.Type()) {
	case "github.com/segmentio/kafka-go.Error", "github.com/IBM/sarama.KError":
		return KafkaErrorName(int(v.Int()))
	case "*github.com/twmb/franz-go/pkg/kerr.Error":
		if v.IsNil() {
			return ""
		}
		return KafkaErrorName(int(v.Elem().FieldByName("Code").Int()))
	case "*k8s.io/apimachinery/pkg/api/errors.StatusError":
		if v.IsNil() {
			return ""
		}
		return v.Elem().FieldByName("ErrStatus").FieldByName("Reason").String()
	}
	if code, ok := grpcCode(err); ok {
		return grpcName(code)
	}
	return ""
}

// elements returns the first maxTree errors of a slice of errors that has no
// method to unwrap it: kafka-go's WriteErrors, with an entry for each message.
func elements(err error) []error {
	v := reflect.ValueOf(err)
	if typeName(v.Type()) != "github.com/segmentio/kafka-go.WriteErrors" {
		return nil
	}
	var found []error
	for i := range v.Len() {
		if e, ok := reflect.TypeAssert[error](v.Index(i)); ok && e != nil {
			if found = append(found, e); len(found) == maxTree {
				break
			}
		}
	}
	return found
}

// typeName returns the import path and name of t, behind a "*" if t is a
// pointer to a named type.
func typeName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer && t.Name() == "" {
		return "*" + typeName(t.Elem())
	}
	return t.PkgPath() + "." + t.Name()
}

// The status codes of gRPC that end a context.
// https://grpc.io/docs/guides/status-codes/
const (
	grpcOK               = 0
	grpcCanceled         = 1
	grpcDeadlineExceeded = 4
)

var grpcNames = [...]string{
	grpcOK:               "",
	grpcCanceled:         ErrorTypeCanceled,
	2:                    "UNKNOWN",
	3:                    "INVALID_ARGUMENT",
	grpcDeadlineExceeded: ErrorTypeTimeout,
	5:                    "NOT_FOUND",
	6:                    "ALREADY_EXISTS",
	7:                    "PERMISSION_DENIED",
	8:                    "RESOURCE_EXHAUSTED",
	9:                    "FAILED_PRECONDITION",
	10:                   "ABORTED",
	11:                   "OUT_OF_RANGE",
	12:                   "UNIMPLEMENTED",
	13:                   "INTERNAL",
	14:                   "UNAVAILABLE",
	15:                   "DATA_LOSS",
	16:                   "UNAUTHENTICATED",
}

func grpcName(code uint64) string {
	if code < uint64(len(grpcNames)) {
		return grpcNames[code]
	}
	return ""
}

// grpcCode returns the status code of an error of gRPC, which has a method
// GRPCStatus whose result has a method Code.
func grpcCode(err error) (code uint64, ok bool) {
	method := reflect.ValueOf(err).MethodByName("GRPCStatus")
	if !method.IsValid() || method.Type().NumIn() != 0 || method.Type().NumOut() != 1 {
		return 0, false
	}
	status := method.Call(nil)[0]
	codeOf := status.MethodByName("Code")
	if !codeOf.IsValid() || codeOf.Type().NumIn() != 0 || codeOf.Type().NumOut() != 1 || codeOf.Type().Out(0).Kind() != reflect.Uint32 {
		return 0, false
	}
	return codeOf.Call(nil)[0].Uint(), true
}
