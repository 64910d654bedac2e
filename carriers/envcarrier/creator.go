// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier

import "github.com/waybill-go/waybill/propagation"

// CreatorVariable is the variable with the traceparent of the span that created what
// starts a process again and again, such as a CronJob.
const CreatorVariable = "WAYBILL_CREATOR"

// ReadCreator returns the context of who created what starts this process, as a
// CronJob does it for every run. It is to be linked and never a parent, because the runs
// of months are not one trace. Package job and the command waybill exec link it.
func ReadCreator() propagation.Remote {
	return propagation.Read(struct{}{}, creatorOf[struct{}](processReader{}), creatorFormat)
}

// ReadCreatorFrom is [ReadCreator] for environ, a list of NAME=value.
func ReadCreatorFrom(environ []string) propagation.Remote {
	return propagation.Read(environ, creatorOf[[]string](host), creatorFormat)
}

// creatorFormat is the format of [CreatorVariable].
var creatorFormat = propagation.WithPropagator(propagation.TraceContext{})

// creatorOf returns a getter that reads the creator in place of the traceparent.
func creatorOf[C any](environment propagation.Getter[C]) propagation.Getter[C] {
	return propagation.GetterFunc[C](func(carrier C, key string) string {
		if key != "traceparent" {
			return ""
		}
		return environment.Get(carrier, CreatorVariable)
	})
}
