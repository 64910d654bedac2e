// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"net"
	"strconv"

	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/safe"
)

// The attributes of messaging spans and metrics.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
const (
	keySystem        = attribute.Key("messaging.system")
	keyOperationName = attribute.Key("messaging.operation.name")
	keyOperationType = attribute.Key("messaging.operation.type")
	keyDestination   = attribute.Key("messaging.destination.name")
	keyTemplate      = attribute.Key("messaging.destination.template")
	keyPartition     = attribute.Key("messaging.destination.partition.id") // A string.
	keyConsumerGroup = attribute.Key("messaging.consumer.group.name")
	keyClientID      = attribute.Key("messaging.client.id")
	keyBatchCount    = attribute.Key("messaging.batch.message_count")
	keyServerAddress = attribute.Key("server.address")
	keyServerPort    = attribute.Key("server.port")
	keyErrorType     = attribute.Key("error.type")
)

// keyLate is true for messages whose caller had given up waiting.
const keyLate = attribute.Key("waybill.late")

// Text returns an attribute whose value comes from a user.
func Text(key attribute.Key, value string) attribute.KeyValue {
	return key.String(safe.Text(value, safe.MaxValue))
}

// DestinationName returns the attribute for the name of a destination.
func DestinationName(destination string) attribute.KeyValue {
	return keyDestination.String(safe.Text(destination, safe.MaxName))
}

// PartitionID returns the attribute for a partition.
func PartitionID(partition int) attribute.KeyValue {
	return keyPartition.String(strconv.Itoa(partition))
}

// MessageCount returns the attribute for the number of messages in a batch.
func MessageCount(n int) attribute.KeyValue { return keyBatchCount.Int(n) }

// serverAttributes name the server at addr, a host with a port. They are empty
// if addr is anything else.
func serverAttributes(addr string) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return nil
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil
	}
	return []attribute.KeyValue{keyServerAddress.String(safe.Text(host, safe.MaxName)), keyServerPort.Int(int(number))}
}
