// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// earthquakes is the data of the demo: see data/README.md.
//
//go:embed data/earthquakes.jsonl.gz
var earthquakes []byte

// connect connects to the MongoDB server at uri.
func connect(uri string) (*mongo.Client, error) {
	return mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(patience))
}

// seed fills the catalog with at most limit events and returns how many are in it.
func seed(ctx context.Context, catalog *mongo.Collection, limit int) (events int, err error) {
	zipped, err := gzip.NewReader(bytes.NewReader(earthquakes))
	if err != nil {
		return 0, err
	}
	var documents []bson.D
	for lines := bufio.NewScanner(zipped); len(documents) < limit && lines.Scan(); {
		var event bson.D
		if err = bson.UnmarshalExtJSON(lines.Bytes(), false, &event); err != nil {
			return 0, err
		}
		for i := range event {
			if event[i].Key == "id" {
				event[i].Key = "_id"
			}
		}
		documents = append(documents, event)
	}
	_, err = catalog.InsertMany(ctx, documents)
	return len(documents), err
}
