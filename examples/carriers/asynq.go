// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"maps"

	"github.com/hibiken/asynq"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// NewAsynqTask calls asynq.NewTaskWithHeaders with the context of ctx added to
// headers. Redis keeps tasks, so they carry no baggage.
func NewAsynqTask(ctx context.Context, typename string, payload []byte, headers map[string]string, opts ...asynq.Option) *asynq.Task {
	carrier := carriers.Map{}
	maps.Copy(carrier, headers)
	propagation.InjectTextMap(ctx, carrier, propagation.WithoutBaggage())
	return asynq.NewTaskWithHeaders(typename, payload, carrier, opts...)
}

// ExtractAsynq returns ctx with the context of task.
func ExtractAsynq(ctx context.Context, task *asynq.Task) context.Context {
	return propagation.ExtractTextMap(ctx, carriers.Map(task.Headers()))
}
