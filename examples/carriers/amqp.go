// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"maps"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// InjectAMQP writes the context of ctx to msg.
func InjectAMQP(ctx context.Context, msg *amqp.Publishing) {
	headers := amqp.Table{}
	maps.Copy(headers, msg.Headers)
	propagation.InjectTextMap(ctx, carriers.AnyMap(headers))
	msg.Headers = headers
}

// ExtractAMQP returns ctx with the context of msg, whose values may be strings or
// bytes.
func ExtractAMQP(ctx context.Context, msg amqp.Delivery) context.Context {
	return propagation.ExtractTextMap(ctx, carriers.AnyMap(msg.Headers))
}
