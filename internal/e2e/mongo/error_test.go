// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongo_test

import (
	"context"
	"errors"
	"testing"
	"time"

	bson1 "go.mongodb.org/mongo-driver/bson"
	mongo1 "go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

// An error of the server is returned as the driver made it, and nothing is
// written a second time without a context.
func TestProcess_ErrorsOfBothDrivers(t *testing.T) {
	t.Parallel()
	orders := newCollection(t, start(t))
	ctx := spanCtx(t, traceparentA)
	if _, err := orders.InsertOne(ctx, bson.D{{Key: "_id", Value: "o-1"}}); err != nil {
		t.Fatal(err)
	}
	f := flowtest.New(t)
	consumer := mongocarrier.NewConsumer("orders", mongocarrier.WithTracerProvider(f.Service("worker")))
	insertions := 0
	insert := func(with func(ctx context.Context) error) error {
		return consumer.Process(t.Context(), propagation.Remote{}, func(context.Context) error {
			insertions++
			return with(ctx)
		})
	}
	err := insert(func(ctx context.Context) error {
		_, failed := orders.v1.InsertOne(ctx, mongocarrier.InjectD(ctx, bson1.D{{Key: "_id", Value: "o-1"}}))
		return failed
	})
	if _, ok := err.(mongo1.WriteException); !ok || !mongo1.IsDuplicateKeyError(err) { //nolint:errorlint // unwrapped.
		t.Errorf("v1: %T, %v", err, err)
	}
	err = insert(func(ctx context.Context) error {
		_, failed := orders.InsertOne(ctx, mongocarrier.InjectM(ctx, bson.M{"_id": "o-1"}))
		return failed
	})
	if _, ok := err.(mongo.WriteException); !ok || !mongo.IsDuplicateKeyError(err) { //nolint:errorlint // unwrapped.
		t.Errorf("v2: %T, %v", err, err)
	}
	err = insert(func(ctx context.Context) error {
		return orders.FindOne(ctx, bson.D{{Key: "_id", Value: "no"}}).Err()
	})
	if !errors.Is(err, mongo.ErrNoDocuments) || insertions != 3 {
		t.Errorf("%v after %d calls", err, insertions)
	}
	types := map[string]int{}
	for _, span := range f.Wait(5 * time.Second).Spans() {
		for _, a := range span.Attributes {
			if a.Key == "error.type" {
				types[a.Value.AsString()]++
			}
		}
	}
	if types["go.mongodb.org/mongo-driver/mongo.WriteException"] != 1 || types["go.mongodb.org/mongo-driver/v2/mongo.WriteException"] != 1 || types["*errors.errorString"] != 1 {
		t.Errorf("the types of the errors are %v", types)
	}
}
