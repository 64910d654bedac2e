// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kfake"
)

// StartKafka starts a Kafka broker with topics of one partition. It returns the
// address of the broker, and a function that stops it.
func StartKafka(topics ...string) (addr string, stop func(), err error) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(0), kfake.SeedTopics(1, topics...))
	if err != nil {
		return "", nil, fmt.Errorf("start the Kafka broker: %w", err)
	}
	return cluster.ListenAddrs()[0], cluster.Close, nil
}
