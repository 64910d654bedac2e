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
	return propagation.Read(struct{}{}, propagation.Getter[struct{}](creatorReader{}),
		propagation.WithPropagator(propagation.TraceContext{}))
}

// creatorReader reads the environment of this process.
type creatorReader struct{}

func (creatorReader) Get(_ struct{}, key string) string {
	if key != "traceparent" {
		return ""
	}
	return processReader{}.Get(struct{}{}, CreatorVariable)
}
