// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"

	"github.com/eclipse/paho.golang/paho"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// userProperties is the list of pairs of MQTT 5, which keeps its order and may
// repeat names.
type userProperties = carriers.Pairs[paho.UserProperty]

// InjectMQTT puts the context of ctx on msg.
func InjectMQTT(ctx context.Context, msg *paho.Publish) {
	properties := paho.PublishProperties{}
	if msg.Properties != nil {
		properties = *msg.Properties
	}
	propagation.InjectTextMap(ctx, (*userProperties)(&properties.User))
	msg.Properties = &properties
}

// ExtractMQTT returns ctx with the context that msg carries.
func ExtractMQTT(ctx context.Context, msg *paho.Publish) context.Context {
	if msg.Properties == nil {
		return ctx
	}
	return propagation.ExtractTextMap(ctx, (*userProperties)(&msg.Properties.User))
}
