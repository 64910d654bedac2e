// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"

	"github.com/eclipse/paho.golang/paho"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// userProperties is the list of user properties of MQTT 5, which has an order and may
// repeat names.
type userProperties = carriers.Pairs[paho.UserProperty]

// InjectMQTT writes the context of ctx to msg.
func InjectMQTT(ctx context.Context, msg *paho.Publish) {
	properties := paho.PublishProperties{}
	if msg.Properties != nil {
		properties = *msg.Properties
	}
	propagation.InjectTextMap(ctx, (*userProperties)(&properties.User))
	msg.Properties = &properties
}

// ExtractMQTT returns ctx with the context of msg.
func ExtractMQTT(ctx context.Context, msg *paho.Publish) context.Context {
	if msg.Properties == nil {
		return ctx
	}
	return propagation.ExtractTextMap(ctx, (*userProperties)(&msg.Properties.User))
}
