// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package server_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

func TestKafkaKeepsItsTopicsOverARestart(t *testing.T) {
	t.Setenv("KAFKA_BROKERS", "")
	testKafka(t, server.Kafka)
}

func TestMongoTellsOfChanges(t *testing.T) {
	t.Setenv("MONGODB_URI", "")
	m := testMongo(t, server.Mongo)
	if got := countDocuments(t, m); got != 1 {
		t.Errorf("there are %d documents, want the one from after the restart", got)
	}
	changes, err := collection(t, m).Watch(within(t), mongo.Pipeline{})
	if err != nil {
		t.Fatal(err)
	}
	insert(t, m)
	if !changes.Next(within(t)) {
		t.Fatal(changes.Err())
	}
	if got := changes.Current.Lookup("fullDocument", "item"); !got.Equal(bson.RawValue{Type: bson.TypeString, Value: []byte("\x04\x00\x00\x00tea\x00")}) {
		t.Errorf("the change has the item %v, want tea", got)
	}
}

func TestKafka_DeleteRecords(t *testing.T) {
	t.Setenv("KAFKA_BROKERS", "")
	k := server.Kafka(t)
	k.CreateTopics(1, "one")
	write(t, k, "one", "a", "b")
	k.DeleteRecords("one")
	write(t, k, "one", "c")
	if got := readCommitted(t, k, "one", 1); got != "c" {
		t.Errorf("the group read %q, want c, which was written after the deletion", got)
	}
}
