// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import "github.com/waybill-go/waybill/internal/envname"

// Normalize returns the name of the environment variable for key: "traceparent"
// becomes "TRACEPARENT" and "x-b3-traceid" becomes "X_B3_TRACEID".
//
// The letters a to z become upper case. Every character that is not an ASCII
// letter, a digit or an underscore becomes one underscore, and so does an empty
// key. A name that would begin with a digit gets an underscore before it. Keys
// that differ only in such characters become one name.
// https://opentelemetry.io/docs/specs/otel/context/env-carriers/#key-name-normalization
func Normalize(key string) string { return envname.Normalize(key) }
